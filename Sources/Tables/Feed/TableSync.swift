// Keeping this replica equal to the others: a reader for each holder of what it holds or copies.
//
// A holder reads all partitions that it shares with another holder; a member without a role copies the tables that are
// replicated everywhere. Who reads is woken by the source's pings, which say how far the source's feed is, and looks by itself
// when none came because there was other traffic: so an idle cluster pays eight bytes a ping.

package import Base
package import Layout
import LocalDB
import Synchronization

/// The readers of a node, and what follows from how far they are.
package final class TableSync: Sendable {
  /// What is known of a source.
  private struct Source {
    var reader: FeedReader
    var bell: Bell
    var task: Task<Void, Never>?
    var isConnected = false
    /// What its last ping said, and when.
    var heard: (last: UInt64, at: MonotonicInstant)?
    var hasLostRows = false
  }

  private struct State {
    var layout: LayoutVersion?
    var sources: [NodeID: Source] = [:]
    var connected: Set<NodeID> = []
    /// In the order of their IDs: nothing may depend on the order of a dictionary.
    var sourcesInOrder: [Source] { sources.sorted { $0.key < $1.key }.map(\.value) }
    var network: (any FeedNetwork)?
    var comparison: ReplicaComparison?
    var comparing: Task<Void, Never>?
    /// Whether enough holders' feeds of the tables that are replicated everywhere were read to the end in this run.
    var isServing = false
    var isStopped = false
  }

  /// How long a reader waits for a ping before it looks by itself.
  private static let pause: Duration = .milliseconds(2500)
  /// A ping that is older says nothing: with other traffic there are none.
  private static let newsMax: Duration = .seconds(5)
  /// The wait after something went wrong.
  private static let retryPause: Duration = .seconds(1)

  package let source: FeedSource
  private let replica: LocalTableReplica
  private let cursors: FeedCursors
  private let hasher: @Sendable () -> RowHasher?
  private let runtime: any Runtime
  private let logger: Logger
  private let state = Mutex(State())

  /// Blocks the thread; for start-up.
  ///
  /// - Parameter hasher: Of the cluster; `nil` before there is one.
  package init(
    _ replica: LocalTableReplica, hasher: @escaping @Sendable () -> RowHasher?,
    runtime: any Runtime, logger: Logger
  ) throws {
    self.replica = replica
    self.hasher = hasher
    self.runtime = runtime
    self.logger = logger
    cursors = try FeedCursors(database: replica.database)
    source = FeedSource(replica, hasher: hasher) { node in
      logger.error(
        "This node's metadata are older than what a peer has read of them: a disk or a folder was put back. It stores "
          + "what it is sent and answers for nothing until it is replaced.",
        [("peer", node.hex)])
    }
  }

  private var own: NodeID { replica.node }

  // MARK: Events

  /// Reads by `network` from now on; must be called on a loop.
  package func start(_ network: any FeedNetwork) {
    let comparing = runtime.spawn { [self] in await keepComparing() }
    state.withLock { state in
      state.network = network
      state.comparing = comparing
    }
    update(layout: state.withLock(\.layout))
  }

  /// Ends the readers.
  package func stop() async {
    let tasks = state.withLock { state in
      state.isStopped = true
      return state.sourcesInOrder.compactMap(\.task) + [state.comparing].compactMap(\.self)
    }
    for task in tasks { task.cancel() }
    for task in tasks { await task.value }
  }

  /// Takes the layout as it is now; must be called on a loop once `start` was.
  package func update(layout: LayoutVersion?) {
    let started = state.withLock { state -> [NodeID] in
      state.layout = layout
      guard let layout, let network = state.network, !state.isStopped, let hasher = hasher() else {
        return []
      }
      if state.comparison == nil {
        state.comparison = ReplicaComparison(replica, hasher: hasher, runtime: runtime)
      }
      var started: [NodeID] = []
      for node in layout.storageNodes where node != own && state.sources[node] == nil {
        do {
          let reader = try FeedReader(
            of: node, into: replica, cursors, network: network, hasher: hasher, runtime: runtime
          ) { [weak self] in self?.startedOver($0) }
          state.sources[node] = Source(
            reader: reader, bell: Bell(), isConnected: state.connected.contains(node))
          started.append(node)
        } catch {
          logger.error("The feed of a node cannot be read.", [("error", "\(error)")])
        }
      }
      return started
    }
    for node in started {
      let task = runtime.spawn { [self] in await keepReading(node) }
      state.withLock { $0.sources[node]?.task = task }
    }
    refresh()
  }

  /// There is a connection to `node`.
  package func connected(_ node: NodeID) {
    let bell = state.withLock { state in
      state.connected.insert(node)
      state.sources[node]?.isConnected = true
      // The connection before may have been replaced without its loss being told.
      state.sources[node]?.reader.lost()
      state.sources[node]?.heard = nil
      return state.sources[node]?.bell
    }
    bell?.ring()
  }

  /// The connection to `node` is lost.
  package func lost(_ node: NodeID) {
    source.lost(node)
    state.withLock { state in
      state.connected.remove(node)
      state.sources[node]?.isConnected = false
      state.sources[node]?.heard = nil
      state.sources[node]?.reader.lost()
    }
  }

  /// A ping of `node` said that its feed is at `last`.
  package func heard(_ last: UInt64, from node: NodeID) {
    let bell = state.withLock { state -> Bell? in
      guard let known = state.sources[node] else { return nil }
      state.sources[node]?.heard = (last, runtime.now)
      return known.reader.since != last ? known.bell : nil
    }
    bell?.ring()
  }

  // MARK: Reading

  private func keepReading(_ node: NodeID) async {
    do {
      while true {
        try Task.checkCancellation()
        guard let (source, plan) = due(node) else {
          guard let bell = state.withLock({ $0.sources[node]?.bell }) else { return }
          try await bell.sleep(until: runtime.now + Self.pause, on: runtime)
          continue
        }
        do {
          try await source.reader.round(plan) { self.isCatchingUp }
          refresh()
          // With other traffic there are no pings: then the source is asked now and then, and not again at once.
          try await source.bell.sleep(until: runtime.now + Self.pause, on: runtime)
        } catch is CancellationError {
          return
        } catch {
          logger.debug(
            "a feed was not read", [("source", node.hex), ("reason", "\(error)")])
          try await runtime.sleep(for: Self.retryPause)
        }
      }
    } catch {
      // The node stops.
    }
  }

  /// What to read of `node` now; `nil` when nothing has changed there, or it is not connected.
  private func due(_ node: NodeID) -> (Source, FeedPlan)? {
    state.withLock { state in
      guard let source = state.sources[node], source.isConnected, let plan = plan(node, state)
      else { return nil }
      let isKnown =
        source.heard.map { heard in
          heard.last == source.reader.since && runtime.now - heard.at < Self.newsMax
        } ?? false
      let hasReports = source.reader.hasReports(isCatchingUp(state))
      return isKnown && !hasReports ? nil : (source, plan)
    }
  }

  private func plan(_ node: NodeID, _ state: State) -> FeedPlan? {
    guard let layout = state.layout, layout.storageNodes.contains(node) else { return nil }
    guard layout.storageNodes.contains(own) else {
      return FeedPlan(
        layout: layout.number, partitions: [Partition.everywhere], isHolder: false)
    }
    let shared = (0...Partition.everywhere).filter { partition in
      let holders = layout.holders(of: Int(partition))
      return holders.contains(node) && holders.contains(own)
    }
    return FeedPlan(layout: layout.number, partitions: shared, isHolder: true)
  }

  // MARK: Comparing

  /// Compares one partition after the other with each source that has been read to the end.
  private func keepComparing() async {
    var turn = 0
    while !Task.isCancelled {
      do {
        try await runtime.sleep(for: ReplicaComparison.pause)
        try await compareNext(turn)
      } catch is CancellationError {
        return
      } catch {
        logger.debug("replicas were not compared", [("reason", "\(error)")])
      }
      turn += 1
    }
  }

  private func compareNext(_ turn: Int) async throws {
    let (comparison, network, pairs) = state.withLock { state in
      let pairs = state.sources.sorted { $0.key < $1.key }.compactMap {
        node, source -> (FeedReader, UInt16)? in
        guard source.isConnected, let plan = plan(node, state), plan.isHolder,
          !plan.partitions.isEmpty, source.reader.hasEnded(plan)
        else { return nil }
        return (source.reader, plan.partitions[turn % plan.partitions.count])
      }
      return (state.comparison, state.network, pairs)
    }
    guard let comparison, let network else { return }
    for (reader, partition) in pairs {
      try await comparison.compare(
        partition, with: reader.source, network, read: { reader.read(partition) },
        wasRead: { source.readByAll([reader.source], partition) ?? 0 })
    }
  }

  /// What other nodes hold otherwise, although all was read.
  package var differences: [ReplicaDifference] {
    state.withLock(\.comparison)?.found ?? []
  }

  private func startedOver(_ partition: UInt16) {
    let readers = state.withLock { state in
      state.isServing = false
      return state.sourcesInOrder.map(\.reader)
    }
    for reader in readers { reader.forget(partition) }
  }

  // MARK: What follows

  /// To be called when a reader may have come to an end.
  private func refresh() {
    let bells = state.withLock { state -> [Bell] in
      if let layout = state.layout, !state.isServing {
        let ended = layout.storageNodes.count { node in
          node == own || (state.sources[node]?.reader.hasEnded(Partition.everywhere) ?? false)
        }
        state.isServing = ended >= Quorum.read(of: layout.storageNodes.count)
      }
      let isBehind = isCatchingUp(state)
      return state.sourcesInOrder.filter { $0.isConnected && $0.reader.hasReports(isBehind) }
        .map(\.bell)
    }
    for bell in bells { bell.ring() }
  }

  /// Why this node serves no client yet; `nil` when it does.
  ///
  /// It serves once it has read the tables that say who may do what, from so many holders that nothing can be missing, and as
  /// long as it hears a holder.
  package var whyNotServing: String? {
    state.withLock { state in
      guard let layout = state.layout else {
        return
          "the cluster has no layout yet: assign roles (`grange layout assign`), then `grange layout apply`"
      }
      if replica.hasLostRows {
        return "this node's metadata are older than what its peers remember: it has to be replaced"
      }
      let heard = layout.storageNodes.count { $0 == own || state.connected.contains($0) }
      if heard == 0 { return "this node hears no node that stores objects" }
      if state.isServing { return nil }
      return "this node is reading from the others who may do what"
    }
  }

  /// Whether this node has not yet read what it missed from every source that it is connected to.
  package var isCatchingUp: Bool { state.withLock { isCatchingUp($0) } }

  private func isCatchingUp(_ state: State) -> Bool {
    state.sources.contains { node, source in
      guard source.isConnected, let plan = plan(node, state) else { return false }
      return !source.reader.hasEnded(plan)
    }
  }

  /// Up to which sequence all other holders have read `partition`; `nil` when this node is no holder of it, or one has
  /// said nothing yet.
  package func readByAll(_ partition: UInt16) -> UInt64? {
    let layout = state.withLock(\.layout)
    // A node that founds its cluster with its first row holds everything alone.
    guard let layout else { return .max }
    let holders = layout.holders(of: Int(partition))
    guard holders.contains(own) else { return nil }
    return source.readByAll(holders.filter { $0 != own }, partition)
  }

  /// What the readers did.
  package var counts: FeedCounts {
    let all = state.withLock { $0.sources.values.map { $0.reader.counts.withLock { $0 } } }
    return all.reduce(into: FeedCounts()) { sum, counts in
      sum.entries += counts.entries
      sum.rows += counts.rows
      sum.bytes += counts.bytes
      sum.thrownAway += counts.thrownAway
      sum.startedOver += counts.startedOver
    }
  }
}
