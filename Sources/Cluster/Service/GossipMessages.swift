// What members tell each other of the cluster state (docs/formats/cluster-state.md, "Between members").

import Base
import Synchronization
import Codecs
import Mesh

/// Records.
struct RecordsMessage: MeshMessage {
  /// As many bytes of records as one message has; a single one may be as long.
  static let bytesMax = 256 << 10
  /// The shortest record has more than 100 bytes.
  private static let countMax = bytesMax / 64

  var records: [[UInt8]]

  init(_ records: [[UInt8]]) { self.records = records }

  func write(to writer: inout BinaryWriter) {
    writer.version(1)
    writer.list(records) { $0.bytes($1) }
  }

  init(_ reader: inout BinaryReader) throws(BinaryError) {
    _ = try reader.version(upTo: 1)
    records = try reader.list(max: Self.countMax) {
      (reader: inout BinaryReader) throws(BinaryError) in
      try reader.bytes(max: RecordLimits.longestBytesMax)
    }
    _ = reader.remaining()
  }

  /// `records` in messages that are not too long.
  static func split(_ records: [[UInt8]]) -> [RecordsMessage] {
    var messages: [RecordsMessage] = []
    var bytes = 0
    for record in records {
      if messages.isEmpty || bytes + record.count > bytesMax {
        messages.append(RecordsMessage([]))
        bytes = 0
      }
      messages[messages.count - 1].records.append(record)
      bytes += record.count
    }
    return messages
  }
}

/// What a node holds, for another that says what is missing.
struct CompareMessage: MeshMessage {
  /// More than any state has.
  private static let idsMax = 16 << 10

  var salt: UInt64
  var shortIDs: [UInt64]

  init(salt: UInt64, shortIDs: [UInt64]) {
    self.salt = salt
    self.shortIDs = shortIDs
  }

  func write(to writer: inout BinaryWriter) {
    writer.version(1)
    writer.u64(salt)
    writer.list(shortIDs) { $0.u64($1) }
  }

  init(_ reader: inout BinaryReader) throws(BinaryError) {
    _ = try reader.version(upTo: 1)
    salt = try reader.u64()
    shortIDs = try reader.list(max: Self.idsMax) {
      (reader: inout BinaryReader) throws(BinaryError) in try reader.u64()
    }
    _ = reader.remaining()
  }
}

/// What the asker lacks, and what the answerer holds.
struct ComparedMessage: MeshMessage {
  var records: RecordsMessage
  var holds: CompareMessage

  init(records: RecordsMessage, holds: CompareMessage) {
    self.records = records
    self.holds = holds
  }

  func write(to writer: inout BinaryWriter) {
    writer.version(1)
    writer.nested { records.write(to: &$0) }
    writer.nested { holds.write(to: &$0) }
  }

  init(_ reader: inout BinaryReader) throws(BinaryError) {
    _ = try reader.version(upTo: 1)
    records = try reader.nested(max: 2 * RecordsMessage.bytesMax, RecordsMessage.init)
    holds = try reader.nested(max: ClusterEndpoints.bytesMax, CompareMessage.init)
    _ = reader.remaining()
  }
}

/// The endpoints of the cluster state.
enum ClusterEndpoints {
  static let bytesMax = 1 << 20

  /// Takes records; the answer says that they are durable, or were not wanted.
  static let push = MeshEndpoint<RecordsMessage, EmptyMessage>("cluster/push", bytesMax: bytesMax)
  /// Compares states.
  static let compare = MeshEndpoint<CompareMessage, ComparedMessage>(
    "cluster/compare", bytesMax: bytesMax)
}
