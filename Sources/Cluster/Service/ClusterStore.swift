// What a node keeps of its cluster in the metadata database (docs/formats/cluster-state.md, "On disk").
//
//   cluster_self     "identity"       ->   the cluster's ID, secret and founder
//                    "join_token"     ->   the token that a command gave, as text, until the node is a member
//   cluster_record   record ID (32)   ->   the record

import Base
import Synchronization
import Crypto
import LocalDB

/// The trees of the cluster state.
struct ClusterStore: Sendable {
  private static let identityKey = Array("identity".utf8)
  private static let tokenKey = Array("join_token".utf8)

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

  /// Makes the node a member of a cluster that admitted it.
  func adopt(
    _ identity: ClusterIdentity, _ state: ClusterState, in transaction: WriteTransaction
  ) throws {
    try transaction.put(own, Self.identityKey, identity.encoded)
    try put(token: nil, in: transaction)
    for id in state.ids { try put(state[id], in: transaction) }
  }

  func put(_ record: ClusterRecord?, in transaction: WriteTransaction) throws {
    guard let record else { return }
    try transaction.put(records, record.id.bytes, record.bytes)
  }

  func drop(_ id: RecordID, in transaction: WriteTransaction) throws {
    try transaction.delete(records, id.bytes)
  }
}
