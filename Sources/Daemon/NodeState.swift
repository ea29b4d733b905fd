// What a node tells about itself.
//
// Much of it only the disks know, and a disk may hang: see DiskInquiry.

package import AdminAPI
import Base
import Blocks
package import Glibc
private import LocalDB
private import Reactor

/// Answers the questions of the admin interface.
struct NodeState: AdminNode {
  private let storage: NodeStorage
  private let cluster: NodeCluster
  private let inquiry: DiskInquiry<ClusterStatus>

  /// Monitors give up after 5 to 10 s; a disk that works answers in far less, if it does not sleep.
  private static let patience: Duration = .seconds(2)

  /// Asks the disks once, holding the thread; for start-up.
  ///
  /// - Parameter startWarnings: What start-up found.
  init(
    configuration: Configuration, storage: NodeStorage, cluster: NodeCluster,
    platform: NodePlatform, startWarnings: [String]
  ) {
    self.storage = storage
    self.cluster = cluster
    let facts = NodeFacts(
      configuration: configuration, storage: storage, platform: platform,
      startWarnings: startWarnings)
    inquiry = DiskInquiry(platform.runtime) { facts.status() }
  }

  func status() async -> ClusterStatus {
    var (status, isCurrent) = await inquiry.answer(within: Self.patience)
    if let own = status.nodes.first { cluster.complete(&status, own) }
    if !isCurrent {
      if status.health == .healthy { status.health = .degraded }
      status.attention.append(
        "a disk does not answer: what is shown may be old; look at the disks (dmesg, smartctl)")
    }
    return status
  }

  func checkBlocks() async throws -> AdminAPI.BlockCheckReport {
    let found = try await storage.blocks.check()
    return AdminAPI.BlockCheckReport(
      blocks: UInt64(found.files), references: UInt64(found.references),
      problemCount: UInt64(found.problemCount),
      problems: found.findings.map { finding in
        "\(finding.kind.rawValue): \(finding.subject)"
          + (finding.detail.isEmpty ? "" : " (\(finding.detail))")
      })
  }
}

/// What there is to tell, gathered on a thread that may wait for disks.
private struct NodeFacts: Sendable {
  let configuration: Configuration
  let storage: NodeStorage
  let platform: NodePlatform
  let startWarnings: [String]

  func status() -> ClusterStatus {
    let directories = storage.blocks.store.directories
    let lost = directories.all.filter(\.isLost)
    var attention = startWarnings
    attention += lost.map {
      "the data folder \($0.path) is not there: mount its disk, or remove it from data_dir"
    }
    attention += directories.missing.map {
      "the data folder \($0) was not there at the start: mount its disk and restart, or remove it from data_dir"
    }
    if platform.hasClockOfFiles {
      attention += ClockCheck.warnings(
        now: platform.runtime.wallNow, metadataDirectory: configuration.metadataDirectory)
    }
    let faulty = directories.all.filter { !$0.isLost && $0.writeFault != nil }
    attention += faulty.compactMap { directory in
      directory.writeFault.map { "the data folder \(directory.path) cannot be written (\($0))" }
    }
    let roomBytes = directories.measureRoomBytes()
    var isFull = roomBytes == 0
    if isFull {
      attention.append("the data folders are full: uploads are refused; free space or add a folder")
    }
    if !storage.database.measureRoom() {
      isFull = true
      attention.append(
        "the disk of \(configuration.metadataDirectory) is full: uploads are refused; free space")
    }
    let stopped = storage.database.whyStopped
    if let stopped { attention.append("\(stopped)") }
    let isWhole = directories.missing.isEmpty && lost.isEmpty && faulty.isEmpty && !isFull
    let health: ClusterStatus.Health =
      stopped != nil || !directories.canBeWritten ? .unavailable : isWhole ? .healthy : .degraded
    return ClusterStatus(
      health: health, nodes: [node()], layoutVersion: 0, attention: attention)
  }

  private func node() -> NodeStatus {
    var addresses = configuration.rpc.publicAddresses
    if addresses.isEmpty { addresses = ["\(HostName.current):\(configuration.rpc.bind.port ?? 0)"] }
    return NodeStatus(
      id: storage.identity.id, hostname: configuration.nodeName ?? HostName.current,
      version: GrangeVersion.text, addresses: addresses,
      zone: configuration.zone ?? HostName.current,
      capacityBytes: storage.capacityBytes(configuration),
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
      room.add(status)
    }
    return seen.isEmpty ? nil : room
  }
}

extension NodeStatus.Room {
  /// Adds the room of a file system, which may report anything: some in user space report all they can.
  package mutating func add(_ status: statvfs) {
    let unit = UInt64(status.f_frsize)
    availableBytes = availableBytes.saturatingSum(UInt64(status.f_bavail).saturatingProduct(unit))
    totalBytes = totalBytes.saturatingSum(UInt64(status.f_blocks).saturatingProduct(unit))
  }
}
