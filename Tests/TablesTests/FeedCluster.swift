// Replicas of registers that read each other's feeds: a layout, and nothing of Mesh and Cluster.

import Base
import Layout
import LocalDB
import SimulatedCluster
import SimulatedWorld
import Synchronization
import Tables

/// A replica that can be ended and started anew over its database.
final class FeedNode: Sendable {
  /// One run of it.
  struct Life: Sendable {
    let database: LocalDatabase
    let replica: LocalTableReplica
    let schema: RegisterSchema
    let local: LocalTable<RegisterSchema>
    let sync: TableSync
    let collector: TombstoneCollector
    let time: NodeTime
  }

  let id: NodeID
  let host: SimulatedHost
  let network: DirectFeedNetwork
  private let life = Mutex<Life?>(nil)

  init(_ host: SimulatedHost, delay: ClosedRange<Duration>) {
    self.host = host
    id = NodeID(random: host.random)
    network = DirectFeedNetwork(id, host.world, delay: delay)
  }

  var now: Life {
    guard let life = life.withLock({ $0 }) else { preconditionFailure("the node is not started") }
    return life
  }

  var local: LocalTable<RegisterSchema> { now.local }
  var replica: LocalTableReplica { now.replica }
  var sync: TableSync { now.sync }
  var database: LocalDatabase { now.database }
  var counts: FeedCounts { sync.counts }

  func open(isFullyReplicated: Bool) throws {
    let database = try LocalDatabase.open(host.databaseOptions(), random: host.random)
    let replica = try LocalTableReplica(
      node: id, database: database, clock: HybridClock(runtime: host), random: host.random)
    var schema = try RegisterSchema(database)
    if isFullyReplicated {
      schema.isFullyReplicated = true
      schema.partitionKeyBytes = 0
    }
    let local = try replica.register(schema)
    let hasher = RowHasher(secret: [UInt8](repeating: 3, count: 32))
    let sync = try TableSync(replica, hasher: { hasher }, runtime: host, logger: .disabled)
    let time = try NodeTime(database: database, runtime: host, newest: 0)
    let collector = try TombstoneCollector(
      replica: replica, time: time, runtime: host, logger: .disabled
    ) { sync.readByAll($0) }
    let opened = Life(
      database: database, replica: replica, schema: schema, local: local, sync: sync,
      collector: collector, time: time)
    life.withLock { $0 = opened }
  }

  /// The cursor that is durable here; `nil` when there is none.
  func cursor(of source: FeedNode, _ partition: UInt16) throws -> FeedCursor? {
    let key = source.id.bytes + [UInt8(partition >> 8), UInt8(partition & 0xFF)]
    return try database.get(database.tree("feed_cursor"), key) { value in
      guard value.count == 24, let start = FeedStart(value.prefix(16)) else { return nil }
      let sequence = value.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
      return FeedCursor(start: start, sequence: sequence)
    } ?? nil
  }

  /// All rows, by sort key.
  func rows() throws -> [String: Register] {
    var rows: [String: Register] = [:]
    let schema = now.schema
    try database.scan(database.tree("register")) { key, value in
      let row = try schema.decode(StoredRow(value).row)
      rows[String(decoding: key.dropFirst(1 + schema.partitionKeyBytes), as: UTF8.self)] = row
      return true
    }
    return rows
  }
}

/// Several of them: storage nodes, and copies without a vote.
final class FeedCluster: Sendable {
  static let partitionKey: [UInt8] = [2, 7, 1, 8]

  let runtime: SimulatedRuntime
  let nodes: [FeedNode]
  let layout: LayoutVersion
  private let isFullyReplicated: Bool
  private let connections = Mutex<Set<[Int]>>([])

  /// The partition of its rows.
  var partition: UInt16 {
    isFullyReplicated ? Partition.everywhere : UInt16(Partition.of(Self.partitionKey))
  }

  init(
    seed: UInt64, holders: Int = 3, copies: Int = 0, isFullyReplicated: Bool = false,
    delay: ClosedRange<Duration> = .milliseconds(1) ... .milliseconds(40)
  ) throws {
    runtime = SimulatedRuntime(seed: seed)
    self.isFullyReplicated = isFullyReplicated
    var draft = LayoutDraft(
      cluster: ClusterID(random: SeededRandom(seed: seed)), parameters: LayoutParameters())
    var nodes: [FeedNode] = []
    for index in 0..<(holders + copies) {
      let node = FeedNode(runtime.addHost("node\(index)"), delay: delay)
      nodes.append(node)
      if index < holders {
        draft.assign(NodeRole(zone: "z", capacityBytes: 1 << 40, tags: []), to: node.id)
      }
    }
    self.nodes = nodes
    layout = try draft.apply(under: [])
    for index in nodes.indices { try open(index) }
  }

  deinit { runtime.takeApart() }

  func key(_ sortKey: String) -> RowKey {
    RowKey(partitionKey: isFullyReplicated ? [] : Self.partitionKey, sortKey: Array(sortKey.utf8))
  }

  static func row(_ milliseconds: Int64, _ value: String?) -> Register {
    Register(timestamp: Timestamp(milliseconds: milliseconds), writer: 1, value: value)
  }

  /// Stores a row on some nodes, as a write does that reached them.
  func put(_ sortKey: String, _ row: Register, on indices: [Int]) async throws {
    for index in indices {
      _ = try await nodes[index].local.merge([(key(sortKey), row)], origin: .feed)
    }
  }

  // MARK: Nodes

  private func open(_ index: Int) throws {
    try nodes[index].open(isFullyReplicated: isFullyReplicated)
    for node in nodes { node.network.connect(nodes[index].sync.source, of: nodes[index].id) }
  }

  /// Begins reading on `indices`, and connects them to whoever reads.
  func start(_ indices: [Int]? = nil) {
    for index in indices ?? Array(nodes.indices) {
      nodes[index].sync.start(nodes[index].network)
      nodes[index].sync.update(layout: layout)
      connect(index)
    }
  }

  /// Connects a node to all that it is not connected to.
  func connect(_ index: Int) {
    nodes[index].network.isCut.store(false, ordering: .relaxed)
    for other in nodes.indices where other != index {
      guard nodes[other].host.state == .running,
        !nodes[other].network.isCut.load(ordering: .relaxed),
        connections.withLock({ $0.insert([min(index, other), max(index, other)]).inserted })
      else { continue }
      nodes[index].sync.connected(nodes[other].id)
      nodes[other].sync.connected(nodes[index].id)
    }
  }

  /// Cuts a node off.
  func cut(_ index: Int) {
    nodes[index].network.isCut.store(true, ordering: .relaxed)
    for other in nodes.indices where other != index {
      let wasConnected = connections.withLock {
        $0.remove([min(index, other), max(index, other)]) != nil
      }
      guard wasConnected else { continue }
      nodes[index].sync.lost(nodes[other].id)
      nodes[other].sync.lost(nodes[index].id)
    }
  }

  /// Kills a node, and starts it anew over what its disk has; it reads nothing before `start`.
  func restart(_ index: Int, rollingBackTo copy: () -> Void = {}) throws {
    cut(index)
    nodes[index].host.kill()
    copy()
    nodes[index].host.start()
    try open(index)
  }

  /// Ends all readers, so that nothing is left to do.
  func stop() async {
    for node in nodes { await node.sync.stop() }
  }

  // MARK: Time

  /// Tells every node how far the feeds of those are that it is connected to.
  private func ping() {
    for pair in connections.withLock({ $0 }) {
      for (one, other) in [(pair[0], pair[1]), (pair[1], pair[0])] {
        nodes[one].sync.heard(nodes[other].replica.feed.last, from: nodes[other].id)
      }
    }
  }

  /// Lets the nodes ping and read for a while.
  func pass(_ seconds: Int) async throws {
    for _ in 0..<max(1, seconds / 2) {
      ping()
      try await runtime.sleep(for: .seconds(2))
    }
  }

  // MARK: Laws

  /// Rows of `source` that a reader lacks although its durable cursor says that it has them.
  func cursorFaults(_ reader: Int, of source: Int) throws -> [String] {
    guard let cursor = try nodes[reader].cursor(of: nodes[source], partition) else { return [] }
    let held = try nodes[reader].rows()
    var faults: [String] = []
    let node = nodes[source].now
    try node.database.scan(node.database.tree("register")) { key, value in
      let stored = try StoredRow(value)
      guard stored.sequence <= cursor.sequence else { return true }
      let row = try node.schema.decode(stored.row)
      let name = String(decoding: key.dropFirst(1 + node.schema.partitionKeyBytes), as: UTF8.self)
      if (held[name]?.timestamp ?? .zero) < row.timestamp {
        faults.append("\(name) at \(stored.sequence), and the cursor is \(cursor.sequence)")
      }
      return true
    }
    return faults
  }

  /// What is wrong once everything was read.
  func differences() throws -> [String] {
    var faults: [String] = []
    let first = try nodes[0].rows()
    for (index, node) in nodes.enumerated() {
      if try node.rows() != first { faults.append("node \(index) holds other rows") }
      faults += try node.replica.feedFaults()
    }
    return faults
  }
}
