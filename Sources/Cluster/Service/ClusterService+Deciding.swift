// Deciding the first layout version: `grange layout apply`, on any member, by the founder.
//
// Both this and the founder's first row decide in a transaction that fails if the other one came first, so that there is
// one first version whatever the order (docs/decisions/0024-let-the-founder-make-version-1.md).

import Base
import Crypto
package import Layout
import LocalDB
import Mesh
import Reactor
import Synchronization

/// What is missing while several nodes hold the data.
package enum ExperimentalCluster {
  /// The variable in a node's environment that allows it.
  package static let variable = "GRANGE_EXPERIMENTAL_CLUSTER"

  /// Why it is refused.
  static let refusal = ClusterRefusal(
    "this version of Grange does not store everything on several nodes yet: keys, buckets and small objects are copied, "
      + "objects above the inline threshold and multipart uploads are not; to try it all the same, start the nodes with "
      + "\(variable)=1 in their environment")
}

extension ClusterService {
  /// How long the founder may take to decide.
  private static let decideMax: Duration = .seconds(30)

  /// Makes what is staged the next version of the layout.
  ///
  /// - Parameter number: What the operator takes for its number; `nil` for any.
  /// - Returns: The version, which this node holds.
  /// - Throws: `ClusterRefusal`, `LayoutRefusal`.
  package nonisolated(nonsending) func applyLayout(
    number: UInt64?
  ) async throws -> LayoutVersion {
    if identity == nil {
      // What is refused founds no cluster.
      _ = try preview()
      try await store.database.write { [self] in try foundIfFresh(in: $0) }
    }
    let (_, cluster) = try memberState()
    let next = (cluster.currentLayout?.number ?? 0) + 1
    if let number, number != next {
      throw ClusterRefusal("version \(number) is not the next one: that is \(next)")
    }
    let version = try preview()
    let record = try await decided(version, cluster.founder)
    try await take([record], from: nil)
    guard let layout, layout == version else {
      throw ClusterRefusal(
        "another first layout was decided meanwhile: see `grange layout show`")
    }
    try await revertLayout()
    return version
  }

  /// The record of the founder's decision.
  private nonisolated(nonsending) func decided(
    _ version: LayoutVersion, _ founder: NodeID
  ) async throws -> [UInt8] {
    if founder == own { return try await decide(version).bytes }
    let name = self.name(of: founder)
    guard let mesh, mesh.connected.contains(founder) else {
      throw ClusterRefusal(
        "\(name) founded the cluster and decides the first layout, and there is no connection to it: start it, or type "
          + "this again once `grange status` shows it")
    }
    do {
      let answer = try await mesh.call(
        LayoutEndpoints.decide, founder, DecideMessage(version),
        deadline: runtime.now + Self.decideMax)
      switch answer {
      case .decided(let record): return record
      case .refused(let text): throw ClusterRefusal("\(name), which decides, refuses it: \(text)")
      }
    } catch let error as MeshError {
      throw ClusterRefusal(
        "\(name), which decides the first layout, did not answer (\(error)): see `grange layout show` whether it is "
          + "decided, or try again")
    }
  }

  /// Answers a member that asks this node to decide.
  func answer(_ message: DecideMessage) async -> DecidedMessage {
    do {
      return .decided(try await decide(message.version).bytes)
    } catch let refusal as ClusterRefusal {
      return .refused(refusal.description)
    } catch {
      logger.warning("a layout was not decided", [("error", "\(error)")])
      return .refused("it cannot store the decision now: see its log")
    }
  }

  /// Decides `version`, on the founder.
  ///
  /// - Throws: `ClusterRefusal`; what the database throws.
  nonisolated(nonsending) func decide(_ version: LayoutVersion) async throws -> LayoutRecord {
    // Its answer was lost, or somebody else asked for the same.
    if let record = decidedRecord(of: version) { return record }
    do {
      let outcomes = try await change { cluster, now in
        try check(version, in: cluster)
        let record = try LayoutRecord(
          signing: LayoutRecordBody(version, signer: own), with: key)
        return cluster.merge([record.bytes], now: now)
      }
      for case .added(let id, _) in outcomes { spread([id], except: nil) }
    } catch is LayoutExists {
      throw Self.isInUse
    }
    guard let record = decidedRecord(of: version) else { throw Self.isInUse }
    logger.info(
      "the layout was decided",
      [("version", "\(version.number)"), ("nodes", "\(version.roles.count)")])
    return record
  }

  private func decidedRecord(of version: LayoutVersion) -> LayoutRecord? {
    state.withLock { $0.cluster?.layoutRecords ?? [] }.first { $0.body.version == version }
  }

  static let isInUse = ClusterRefusal(
    "this version of Grange cannot change a layout that is in use yet; the first key or bucket of a cluster puts one in "
      + "use that names the founder alone")

  /// Whether this node may decide `version` in a cluster of this state; throws `ClusterRefusal` if not.
  private func check(_ version: LayoutVersion, in cluster: ClusterState) throws(ClusterRefusal) {
    guard cluster.founder == own, cluster.membership.contains(own) else {
      throw ClusterRefusal("only the founder of the cluster decides its first layout")
    }
    guard cluster.currentLayout == nil, version.number == 1 else { throw Self.isInUse }
    guard version.cluster == cluster.cluster else {
      throw ClusterRefusal("it is of another cluster")
    }
    try checkRoles(of: version)
    if let stranger = version.roles.first(where: { !cluster.membership.contains($0.node) }) {
      throw ClusterRefusal(
        "\(stranger.node.short) is no member: take it out (`grange layout remove`)")
    }
    guard version.endings == cluster.membership.standing else {
      throw ClusterRefusal("the nodes do not know of the same removals yet: try again in a moment")
    }
  }

  /// Whether roles may be given as in `version`; throws `ClusterRefusal` if not.
  func checkRoles(of version: LayoutVersion) throws(ClusterRefusal) {
    guard !options.allowsOtherHolders else { return }
    let founder = state.withLock { $0.cluster?.founder } ?? own
    guard version.roles.allSatisfy({ $0.node == founder }) else {
      throw ExperimentalCluster.refusal
    }
  }

  /// A node as people know it.
  func name(of node: NodeID) -> String {
    let cluster = state.withLock(\.cluster)
    let hostName = cluster?.announcement(of: node)?.body.hostName ?? ""
    return hostName.isEmpty ? node.short : "\(hostName) (\(node.short))"
  }
}
