// What another node can say to a replica and to a feed, and what it can answer.

import Base
import Codecs
import LocalDB
import Mesh
import SimulatedWorld
private import Synchronization
import Tables
import TestStorage

extension Fuzzer {
  /// The input is what to read it as, and the message.
  static let tableMessages = Fuzzer(
    "table-messages",
    of: [
      "Tables/Mesh/ReplicaMessages", "Tables/Feed/FeedMessages", "Tables/Feed/FeedSource",
      "Tables/Feed/ChangeFeed", "Tables/Feed/Fingerprint",
    ]
  ) { input in
    guard let kind = input.first else { return }
    let bytes = Array(input.dropFirst())
    switch kind % 10 {
    case 0: try message(ReplicaRequest.self, bytes)
    case 1: try message(ReplicaResponse.self, bytes)
    case 2:
      guard let request = try message(HeadsRequest.self, bytes) else { return }
      try AskedFeed.ask { source, reader in
        let answer = source.heads(request, from: reader)
        try require(answer.heads.allSatisfy { $0.sequence > request.since }, "old heads")
      }
    case 3: try message(HeadsAnswer.self, bytes)
    case 4:
      guard let request = try message(FeedRequest.self, bytes) else { return }
      try AskedFeed.ask { source, reader in
        let answer = try source.feed(request, from: reader)
        let asked = request.positions.map(\.partition)
        try require(answer.parts.map(\.partition) == asked, "other partitions")
        let entries = answer.parts.flatMap(\.entries)
        try require(entries.count <= asked.count * AskedFeed.rows.count, "too many entries")
      }
    case 5: try message(FeedAnswer.self, bytes)
    case 6:
      guard let request = try message(RowsRequest.self, bytes) else { return }
      try AskedFeed.ask { source, _ in
        // A table that is not there is an error, and no answer.
        guard let answer = try? source.rows(request) else { return }
        try require(answer.rows.count == request.rows.count, "other rows")
      }
    case 7: try message(RowsAnswer.self, bytes)
    case 8: try message(FingerprintRequest.self, bytes)
    default: try message(FingerprintAnswer.self, bytes)
    }
  }

  /// What a newer program wrote behind a message may be lost.
  @discardableResult
  private static func message<Message: MeshMessage>(
    _ type: Message.Type, _ bytes: [UInt8]
  ) throws -> Message? {
    let read = try? withExactBytes(bytes) { memory in
      var reader = BinaryReader(UnsafeRawBufferPointer(memory))
      return try Message(&reader)
    }
    guard let read else { return nil }
    var writer = BinaryWriter()
    read.write(to: &writer)
    try require(bytes.starts(with: writer.bytes), "written again: \(hex(writer.bytes))")
    return read
  }
}

/// A feed of some rows, which is asked whatever there is to ask.
private enum AskedFeed {
  /// Deleted ones among them.
  static let rows: [(name: UInt8, timestamp: UInt64)] = [(1, 1), (2, 2), (3, 3)]

  private struct Opened: Sendable {
    var replica: LocalTableReplica
    var hasher: RowHasher
  }

  private static let oneAtATime = Mutex(())

  /// Its files are gone, but for the descriptors: nothing stays behind.
  private static let opened: Opened? = {
    let folder = TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    let runtime = SimulatedRuntime(seed: 1)
    guard let database = try? folder.open("meta", .inline, fsync: false),
      let replica = try? LocalTableReplica(
        node: NodeID(random: SeededRandom(seed: 2)), database: database,
        clock: HybridClock(runtime: runtime), random: OneNumber()),
      let table = try? replica.register(NumberSchema())
    else { return nil }
    let merged: Void? = try? runtime.run {
      let entries = rows.map { row in
        (RowKey(partitionKey: [], sortKey: [row.name]), Timestamp(rawValue: row.timestamp))
      }
      _ = try await table.merge(entries, origin: .feed)
    }
    guard merged != nil else { return nil }
    return Opened(replica: replica, hasher: RowHasher(secret: [UInt8](repeating: 1, count: 32)))
  }()

  static func ask(_ body: (FeedSource, NodeID) throws -> Void) throws {
    try oneAtATime.withLock { _ in
      guard let opened else { throw BrokenProperty(description: "no database in /tmp") }
      let source = FeedSource(opened.replica) { [hasher = opened.hasher] in hasher }
      try body(source, NodeID(random: SeededRandom(seed: 3)))
    }
  }
}

/// So that the name of the start is one that a dictionary or a corpus can have: 1, 1.
private final class OneNumber: RandomSource {
  func next() -> UInt64 { 1 }
}

/// A table of timestamps.
private struct NumberSchema: TableSchema {
  var name: String { "t" }
  var partitionKeyBytes: Int { 0 }
  var isFullyReplicated: Bool { true }

  func encode(_ row: Timestamp) -> [UInt8] {
    var writer = BinaryWriter()
    writer.timestamp(row)
    return writer.bytes
  }
  func decode(_ bytes: UnsafeRawBufferPointer) throws -> Timestamp {
    var reader = BinaryReader(bytes)
    return try reader.timestamp()
  }
  func merge(_ a: Timestamp, _ b: Timestamp) -> Timestamp { max(a, b) }
  func timestamp(of row: Timestamp) -> Timestamp { row }
  func tombstoneTimestamp(_ row: Timestamp) -> Timestamp? { row.rawValue == 2 ? row : nil }
}
