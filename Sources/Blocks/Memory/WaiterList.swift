// Tasks that wait their turn, in order, and may be cancelled.
//
// A value for inside of a lock. Nothing is resumed under the lock: each call hands back what to do
// once it is released.
//
// A task enters under the lock, after it has looked at `Task.isCancelled` there. The cancellation handler
// runs after that flag is set and takes the same lock, so a cancelled task either does not enter or is
// found in the list.

/// Names a waiting task.
final class WaiterTicket: Sendable {}

/// The waiting tasks of a lock or a pool, first come first served; each says what it wants.
struct WaiterList<Request: Sendable>: Sendable {
  /// Wakes one task; to be called without the lock.
  typealias Resumption = @Sendable () -> Void

  private struct Waiter {
    var ticket: WaiterTicket
    var request: Request
    var continuation: CheckedContinuation<Void, any Error>
  }

  private var waiters: [Waiter] = []

  /// Whether nobody waits.
  var isEmpty: Bool { waiters.isEmpty }

  /// How many wait.
  var count: Int { waiters.count }

  /// What the first one wants.
  var first: Request? { waiters.first?.request }

  /// Puts a task at the end.
  mutating func append(
    _ ticket: WaiterTicket, _ request: Request, _ continuation: CheckedContinuation<Void, any Error>
  ) {
    waiters.append(Waiter(ticket: ticket, request: request, continuation: continuation))
  }

  /// Takes a cancelled task out; one that was served meanwhile goes on.
  mutating func cancel(_ ticket: WaiterTicket) -> [Resumption] {
    guard let index = waiters.firstIndex(where: { $0.ticket === ticket }) else { return [] }
    let continuation = waiters.remove(at: index).continuation
    return [{ continuation.resume(throwing: CancellationError()) }]
  }

  /// Takes the first one out, to go on.
  mutating func releaseFirst() -> [Resumption] {
    guard !waiters.isEmpty else { return [] }
    let continuation = waiters.removeFirst().continuation
    return [{ continuation.resume() }]
  }
}
