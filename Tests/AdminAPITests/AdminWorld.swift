// The operations of the admin interface over the store of one node, without HTTP.

import AdminAPI
import Base
import Blocks
import Codecs
import Layout
import LocalDB
import Model
import SimulatedWorld
import Tables
import TestStorage
import Testing

/// A node that has nothing to tell.
private struct SilentNode: AdminNode {
  func status() async -> ClusterStatus {
    ClusterStatus(health: .healthy, nodes: [], layoutVersion: 1)
  }

  func checkBlocks() async throws -> AdminAPI.BlockCheckReport {
    AdminAPI.BlockCheckReport(blocks: 0, references: 0, problemCount: 0, problems: [])
  }
}

/// A node that is in no cluster.
private struct Alone: AdminCluster {
  struct NoCluster: Error {}

  var own: NodeID { NodeID(random: SeededRandom(seed: 1)) }
  var whyNothingIsStored: String? { nil }
  func createInvite(_ wish: InviteWish) async throws -> InviteInfo { throw NoCluster() }
  func invites() async throws -> [InviteInfo] { [] }
  func revokeInvite(_ prefix: String) async throws -> InviteInfo { throw NoCluster() }
  func join(_ token: String, discardsData: Bool) async throws -> String { throw NoCluster() }
  func leave() async throws -> String { throw NoCluster() }
  func connect(_ peers: [String]) async -> [String?] { peers.map { _ in "no cluster" } }
  func remove(_ name: String, isMeant: Bool) async throws -> RemovalInfo { throw NoCluster() }
  func layoutOverview() throws -> LayoutOverview { throw NoCluster() }
  func stage(_ wish: LayoutWish) async throws { throw NoCluster() }
  func revertLayout() async throws { throw NoCluster() }
  func previewLayout() throws -> LayoutVersion { throw NoCluster() }
  func applyLayout(number: UInt64?) async throws -> LayoutVersion { throw NoCluster() }
}

/// The operations of a node.
final class AdminWorld: Sendable {
  private let endpoints: AdminEndpoints
  private let folder: TemporaryFolder

  static func run(_ body: @escaping @Sendable (AdminWorld) async throws -> Void) throws {
    let runtime = SimulatedRuntime(seed: 1)
    let world = try AdminWorld(runtime)
    try runtime.run { try await body(world) }
  }

  private init(_ runtime: SimulatedRuntime) throws {
    folder = TemporaryFolder()
    let clock = HybridClock(runtime: runtime)
    let node = NodeID(random: runtime.random)
    let replica = try LocalTableReplica(
      node: node,
      database: folder.open("meta", .inline, fsync: false, random: runtime.random), clock: clock,
      random: runtime.random)
    var blocks = BlockService.Options(
      node: node, directories: [DataDirectoryOptions(path: folder.path + "/data")])
    blocks.fsync = false
    let store = try Store(
      replica: replica,
      coordinator: TableCoordinator(
        placement: SoleNodePlacement(replica), clock: clock, runtime: runtime),
      blocks: BlockService(
        blocks, replica: replica, runtime: runtime, metrics: MetricsRegistry(), logger: .disabled),
      runtime: runtime, metrics: MetricsRegistry(), logger: .disabled)
    endpoints = AdminEndpoints(
      store: store, node: SilentNode(), cluster: Alone(), wallNow: { runtime.wallNow })
  }

  /// Asks without changing anything.
  func get(_ name: String, _ query: FormField...) async throws -> JSON {
    try await endpoints.perform(method: "GET", AdminRequest(name: name, query: query))
  }

  /// Asks for a change.
  func post(_ name: String, _ query: FormField..., body: JSON = .null) async throws -> JSON {
    try await endpoints.perform(method: "POST", AdminRequest(name: name, query: query, body: body))
  }

  /// Asks for a change that must be refused with `code`.
  func refuse(
    _ code: String, _ name: String, _ query: FormField..., body: JSON = .null,
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    do {
      let answer = try await endpoints.perform(
        method: "POST", AdminRequest(name: name, query: query, body: body))
      Issue.record("\(answer)", sourceLocation: sourceLocation)
    } catch {
      #expect(error.code == code, "\(error)", sourceLocation: sourceLocation)
    }
  }
}
