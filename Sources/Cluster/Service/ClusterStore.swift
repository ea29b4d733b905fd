// What a node keeps of its cluster in the metadata database (docs/formats/cluster-state.md, "On disk").
//
//   cluster_self     "identity"       ->   the cluster's ID, secret and founder
//                    "join_token"     ->   the token that a command gave, as text, until the node is a member
//                    "layout"         ->   the number of the newest layout version that was decided
//                    "layout_draft"   ->   the changes that are staged on this node
//   cluster_record   record ID (32)   ->   the record

import Base
import Synchronization
import Codecs
import Crypto
import Layout
import LocalDB

/// The trees of the cluster state.
struct ClusterStore: Sendable {
  private static let identityKey = Array("identity".utf8)
  private static let tokenKey = Array("join_token".utf8)
  private static let layoutKey = Array("layout".utf8)
  private static let draftKey = Array("layout_draft".utf8)

  let database: LocalDatabase
  private let own: Tree
  private let records: Tree

  /// Blocks the thread, for start-up.
  init(_ database: LocalDatabase) throws {
    self.database = database
    own = try database.tree("cluster_self")
    records = try database.tree("cluster_record")
  }

  /// The cluster; `nil` on a fresh node.
  func identity() throws -> ClusterIdentity? {
    try database.get(own, Self.identityKey).map { try ClusterIdentity(decoding: $0) }
  }

  /// The token that a command gave to a node that waits to join.
  func token() throws -> String? {
    try database.get(own, Self.tokenKey).map { String(decoding: $0, as: UTF8.self) }
  }

  /// Keeps a token, or none.
  func put(token: String?, in transaction: WriteTransaction) throws {
    if let token {
      try transaction.put(own, Self.tokenKey, Array(token.utf8))
    } else {
      try transaction.delete(own, Self.tokenKey)
    }
  }

  /// All records, in no order that matters.
  func allRecords() throws -> [[UInt8]] {
    var all: [[UInt8]] = []
    try database.scan(records) { _, value in
      all.append([UInt8](value))
      return true
    }
    return all
  }

  /// The cluster, as the bodies before left it.
  func identity(in transaction: WriteTransaction) throws -> ClusterIdentity? {
    try transaction.get(own, Self.identityKey).map { try ClusterIdentity(decoding: $0) }
  }

  /// Whether the node has a cluster, as the bodies before left it.
  func hasIdentity(in transaction: WriteTransaction) throws -> Bool {
    try transaction.get(own, Self.identityKey) != nil
  }

  /// Makes the node the founder of a cluster of its own.
  func found(
    _ identity: ClusterIdentity, admission: Admission, in transaction: WriteTransaction
  ) throws {
    try transaction.put(own, Self.identityKey, identity.encoded)
    try transaction.put(records, admission.id.bytes, admission.bytes)
  }

  /// Makes the node one of a cluster that admitted it: the cluster's records are put beside it.
  func adopt(_ identity: ClusterIdentity, in transaction: WriteTransaction) throws {
    try transaction.put(own, Self.identityKey, identity.encoded)
    try put(token: nil, in: transaction)
    try put(draft: nil, in: transaction)
  }

  func put(_ record: ClusterRecord, in transaction: WriteTransaction) throws {
    try transaction.put(records, record.id.bytes, record.bytes)
  }

  func drop(_ id: RecordID, in transaction: WriteTransaction) throws {
    try transaction.delete(records, id.bytes)
  }

  // MARK: Layout

  /// The number of the newest layout version that the disk has; `nil` for none.
  func layoutNumber() throws -> UInt64? {
    try database.get(own, Self.layoutKey).map { try Self.number($0) }
  }

  /// The number of the newest layout version, as the bodies before left it.
  func layoutNumber(in transaction: WriteTransaction) throws -> UInt64? {
    try transaction.get(own, Self.layoutKey).map { try Self.number($0) }
  }

  /// Notes that the layout version of this number was decided; its record is put beside it.
  func put(layoutNumber: UInt64, in transaction: WriteTransaction) throws {
    var writer = BinaryWriter(capacity: 9)
    writer.version(1)
    writer.u64(layoutNumber)
    try transaction.put(own, Self.layoutKey, writer.bytes)
  }

  private static func number(_ bytes: [UInt8]) throws(BinaryError) -> UInt64 {
    try BinaryReader.read(bytes) { (reader: inout BinaryReader) throws(BinaryError) in
      _ = try reader.version(upTo: 1)
      let number = try reader.u64()
      try reader.expectEnd()
      return number
    }
  }

  /// What is staged on this node; `nil` for nothing.
  func draft() throws -> StagedLayout? {
    try database.get(own, Self.draftKey).map { try StagedLayout(decoding: $0) }
  }

  /// What is staged, as the bodies before left it.
  func draft(in transaction: WriteTransaction) throws -> StagedLayout? {
    try transaction.get(own, Self.draftKey).map { try StagedLayout(decoding: $0) }
  }

  /// Keeps what is staged, or nothing.
  func put(draft: StagedLayout?, in transaction: WriteTransaction) throws {
    if let draft, !draft.isEmpty {
      try transaction.put(own, Self.draftKey, draft.encoded)
    } else {
      try transaction.delete(own, Self.draftKey)
    }
  }
}
