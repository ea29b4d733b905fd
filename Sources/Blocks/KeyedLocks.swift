// A lock for each key, held across awaits.
//
// Storing a block and removing it must not overlap: who adds a reference has to find the file whole
// afterwards, who removes the file has to find no reference before. Blocks are independent of each other,
// so each has a lock of its own, which exists only while someone holds or wants it.
//
// Invariants:
//   1. At most one task holds the lock of a key; waiters get it in the order they came.
//   2. A key nobody holds takes no memory.

private import Synchronization

/// Locks named by keys, for example by the hashes of blocks.
package final class KeyedLocks<Key: Hashable & Sendable>: Sendable {
  /// The table is split so that threads working on different keys seldom meet; more parts than any
  /// supported machine has cores.
  private static var shardCount: Int { 64 }

  private final class Shard: Sendable {
    let held = Mutex<[Key: WaiterList<Void>]>([:])
  }

  private let shards = (0..<shardCount).map { _ in Shard() }

  package init() {}

  /// How many keys are held now.
  package var heldCount: Int { shards.reduce(0) { $0 + $1.held.withLock(\.count) } }

  /// Runs `body` while no other task is in a body for `key`.
  ///
  /// - Throws: What `body` throws, or `CancellationError` when the task is cancelled while it waits.
  package nonisolated(nonsending) func withLock<Value>(
    _ key: Key, _ body: nonisolated(nonsending) () async throws -> Value
  ) async throws -> Value {
    let shard = shards[key.hashValue & (Self.shardCount - 1)]
    try await acquire(key, shard)
    defer { release(key, shard) }
    return try await body()
  }

  private nonisolated(nonsending) func acquire(_ key: Key, _ shard: Shard) async throws {
    let isFree = shard.held.withLock { held in
      if held[key] != nil { return false }
      held[key] = WaiterList()
      return true
    }
    if isFree { return }
    let ticket = WaiterTicket()
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation {
        (continuation: CheckedContinuation<Void, any Error>) in
        let resume = shard.held.withLock { held -> WaiterList<Void>.Resumption? in
          if Task.isCancelled {
            return { continuation.resume(throwing: CancellationError()) }
          }
          if held[key] == nil {
            // The holder let go between the first look and now, and nobody took it.
            held[key] = WaiterList()
            return { continuation.resume() }
          }
          held[key]?.append(ticket, (), continuation)
          return nil
        }
        resume?()
      }
    } onCancel: {
      let resumptions = shard.held.withLock { $0[key]?.cancel(ticket) ?? [] }
      for resume in resumptions { resume() }
    }
  }

  private func release(_ key: Key, _ shard: Shard) {
    let resumptions = shard.held.withLock { held -> [WaiterList<Void>.Resumption] in
      if held[key]?.isEmpty ?? true {
        held[key] = nil
        return []
      }
      return held[key]?.releaseFirst() ?? []
    }
    for resume in resumptions { resume() }
  }
}
