// What a node tells about itself.

import AdminAPI
import Base
import Blocks
import Glibc
import Reactor

/// Answers the questions of the admin interface.
struct NodeState: AdminNode {
  let configuration: Configuration
  let storage: NodeStorage
  let runtime: EventLoopGroup
  /// What start-up found.
  let startWarnings: [String]

  func status() async -> ClusterStatus {
    let directories = storage.blocks.store.directories
    let lost = directories.all.filter(\.isLost)
    var attention = startWarnings
    attention += lost.map {
      "the data folder \($0.path) is not there: mount its disk, or remove it from data_dir"
    }
    attention += ClockCheck.warnings(
      now: runtime.wallNow, metadataDirectory: configuration.metadataDirectory)
    if directories.roomBytes == 0 {
      attention.append("the data folders are full: uploads are refused; free space or add a folder")
    }
    let health: ClusterStatus.Health =
      lost.count == directories.all.count ? .unavailable : lost.isEmpty ? .healthy : .degraded
    return ClusterStatus(health: health, nodes: [node], layoutVersion: 1, attention: attention)
  }

  private var node: NodeStatus {
    let directories = storage.blocks.store.directories
    let used = directories.all.reduce(0) { $0 + $1.usedBytes }
    var addresses = configuration.rpc.publicAddresses
    if addresses.isEmpty { addresses = ["\(HostName.current):\(configuration.rpc.bind.port ?? 0)"] }
    let capacity: UInt64
    if case .bytes(let bytes) = configuration.capacity {
      capacity = bytes
    } else {
      capacity = UInt64(clamping: directories.roomBytes + used)
    }
    return NodeStatus(
      id: storage.identity.id, hostname: configuration.nodeName ?? HostName.current,
      version: GrangeVersion.text, addresses: addresses,
      zone: configuration.zone ?? HostName.current, capacityBytes: capacity,
      data: Self.room(configuration.dataDirectories.map(\.path)),
      metadata: Self.room([configuration.metadataDirectory]))
  }

  /// The room of the file systems of `paths`, each counted once.
  private static func room(_ paths: [String]) -> NodeStatus.Room? {
    var seen: Set<UInt> = []
    var room = NodeStatus.Room(availableBytes: 0, totalBytes: 0)
    for path in paths {
      var status = statvfs()
      guard statvfs(path, &status) == 0, seen.insert(status.f_fsid).inserted else { continue }
      room.availableBytes += UInt64(status.f_bavail) * UInt64(status.f_frsize)
      room.totalBytes += UInt64(status.f_blocks) * UInt64(status.f_frsize)
    }
    return seen.isEmpty ? nil : room
  }

  func checkBlocks() async throws -> AdminAPI.BlockCheckReport {
    let found = try await storage.blocks.check()
    let problemCount =
      found.filesWithoutReference + found.referencesWithoutFile + found.corruptFiles
      + found.wrongCounts + found.strayFiles
    return AdminAPI.BlockCheckReport(
      blocks: UInt64(found.files), references: UInt64(found.references),
      problemCount: UInt64(problemCount),
      problems: found.findings.map { finding in
        "\(finding.kind.rawValue): \(finding.subject)"
          + (finding.detail.isEmpty ? "" : " (\(finding.detail))")
      })
  }
}
