// Which connections a server has, so that it can stop, and so that no crowd of them keeps others out.
//
// Two things that strangers can take away are bounded here: connections, and the memory that is held while a client is
// waited for (half a head, an answer that is not read). Who comes when all connections are taken gets the place
// of those that have been waiting for their client the longest; and when too much memory is held, those that
// have held theirs the longest lose it. Clients that send requests and read answers never wait long, so whoever
// holds connections open without using them is the one who loses them, however many he has.
//
// Invariants:
//   1. At most `connectionsMax` connections are served; besides there may be some that have been ended and are on
//      their way out.
//   2. After `beginShutdown` no entry becomes idle: it either sees the flag, or is seen idle and ended.
//   3. A connection in a handler is never ended for another one.

package import Base
private import Synchronization

/// All connections of one server.
package final class ConnectionRegistry: Sendable {
  private struct State {
    var entries: [UInt64: ConnectionEntry] = [:]
    /// Those of `entries` that have been ended in favour of others.
    var ended: Set<UInt64> = []
    var lastNumber: UInt64 = 0
    var waiters: [CheckedContinuation<Void, Never>] = []

    var servedCount: Int { entries.count - ended.count }
  }

  private let state = Mutex(State())
  private let shuttingDown = Atomic<Bool>(false)
  private let connectionsMax: Int
  private let heldBytesMax: Int
  private let held = Atomic<Int>(0)
  /// Counts connections that were ended in favour of others.
  private let crowdedOut: Counter?

  /// When all places are taken, this part of them is made free at once: to find the longest waiting among all
  /// for each newcomer would be what a flood of them wants.
  private static let sharePart = 16

  package init(connectionsMax: Int, heldBytesMax: Int, crowdedOut: Counter? = nil) {
    self.connectionsMax = connectionsMax
    self.heldBytesMax = heldBytesMax
    self.crowdedOut = crowdedOut
  }

  var isShuttingDown: Bool { shuttingDown.load(ordering: .sequentiallyConsistent) }

  var count: Int { state.withLock { $0.entries.count } }

  /// Adds a connection; `nil` when there are too many, all with a request under way, or the server is stopping.
  package func add() -> ConnectionEntry? {
    var ended: [ConnectionEntry] = []
    let added: ConnectionEntry? = state.withLock { state in
      guard !isShuttingDown else { return nil }
      if state.servedCount >= connectionsMax { ended = endLongestWaiting(&state) }
      guard state.servedCount < connectionsMax else { return nil }
      state.lastNumber += 1
      let entry = ConnectionEntry(number: state.lastNumber, registry: self)
      state.entries[entry.number] = entry
      return entry
    }
    for entry in ended { entry.stop() }
    return added
  }

  package func remove(_ entry: ConnectionEntry) {
    let waiters = state.withLock { state in
      state.entries[entry.number] = nil
      state.ended.remove(entry.number)
      return state.entries.isEmpty ? takeWaiters(&state) : []
    }
    for waiter in waiters { waiter.resume() }
  }

  // MARK: Making room

  /// Counts memory that is held for a client that is waited for.
  func hold(_ bytes: Int) {
    guard held.add(bytes, ordering: .relaxed).newValue > heldBytesMax else { return }
    for entry in endLongestHolding() { entry.stop() }
  }

  func release(_ bytes: Int) {
    if bytes > 0 { held.subtract(bytes, ordering: .relaxed) }
  }

  /// Ends connections until a part of the memory is free again; they are to be stopped.
  private func endLongestHolding() -> [ConnectionEntry] {
    let enough = heldBytesMax - heldBytesMax / Self.sharePart
    return state.withLock { state in
      var ended: [ConnectionEntry] = []
      for entry in Self.longestWaiting(state) where entry.wait.map({ $0.heldBytes > 0 }) ?? false {
        guard held.load(ordering: .relaxed) > enough else { break }
        if end(entry, &state) { ended.append(entry) }
      }
      return ended
    }
  }

  private func endLongestWaiting(_ state: inout State) -> [ConnectionEntry] {
    var ended: [ConnectionEntry] = []
    for entry in Self.longestWaiting(state) where ended.count <= connectionsMax / Self.sharePart {
      if end(entry, &state) { ended.append(entry) }
    }
    return ended
  }

  private func end(_ entry: ConnectionEntry, _ state: inout State) -> Bool {
    guard entry.endWaiting(onlyIdle: false) else { return false }
    state.ended.insert(entry.number)
    crowdedOut?.add()
    return true
  }

  private static func longestWaiting(_ state: State) -> [ConnectionEntry] {
    state.entries.values
      .compactMap { entry in entry.wait.map { (since: $0.since, entry: entry) } }
      // By number where they are equal: a simulation repeats that.
      .sorted { ($0.since, $0.entry.number) < ($1.since, $1.entry.number) }
      .map(\.entry)
  }

  // MARK: The end

  /// Refuses new connections and stops the idle ones.
  func beginShutdown() {
    shuttingDown.store(true, ordering: .sequentiallyConsistent)
    for entry in entries where entry.endWaiting(onlyIdle: true) { entry.stop() }
  }

  /// Stops all connections.
  func stopAll() {
    for entry in entries { entry.stop() }
  }

  /// Returns once there is no connection, or `stopWaiting` is called.
  func waitUntilEmpty() async {
    await withCheckedContinuation { continuation in
      let isEmpty = state.withLock { state in
        if !state.entries.isEmpty { state.waiters.append(continuation) }
        return state.entries.isEmpty
      }
      if isEmpty { continuation.resume() }
    }
  }

  func stopWaiting() {
    for waiter in state.withLock({ takeWaiters(&$0) }) { waiter.resume() }
  }

  private func takeWaiters(_ state: inout State) -> [CheckedContinuation<Void, Never>] {
    let waiters = state.waiters
    state.waiters = []
    return waiters
  }

  /// In the order of their arrival, which a simulation can repeat.
  private var entries: [ConnectionEntry] {
    state.withLock { state in
      state.entries.sorted { $0.key < $1.key }.map(\.value)
    }
  }
}
