// How fast a node may send, or receive: a family shares the line.
//
// What somebody waits for is counted and never held up; blocks take what is left.

import Base
import Synchronization

/// A limit on bytes a second, over all peers together.
package final class RateLimiter: Sendable {
  private let bytesPerSecond: Int?
  /// When everything that was counted is through.
  private let busyUntil = Mutex(MonotonicInstant(nanoseconds: 0))

  /// What may go out at once after a pause: a router's queue takes it without noticing.
  private static let burst: Duration = .milliseconds(20)

  /// A limiter; `nil` for none.
  package init(bytesPerSecond: Int?) {
    self.bytesPerSecond = bytesPerSecond.map { max(1, $0) }
  }

  /// Counts `bytes`, and returns until when to wait before they go out; `nil` for no wait.
  func reserve(_ bytes: Int, now: MonotonicInstant) -> MonotonicInstant? {
    guard let bytesPerSecond else { return nil }
    let (quotient, _) = bytes.multipliedReportingOverflow(by: 1_000_000_000)
    let duration = Duration.nanoseconds(quotient / bytesPerSecond)
    return busyUntil.withLock { busy in
      let start = max(busy, now + (.zero - Self.burst))
      busy = start + duration
      return start > now ? start : nil
    }
  }

  /// Counts `bytes`, and waits until they may go out unless they are `urgent`.
  nonisolated(nonsending) func pass(
    _ bytes: Int, urgent: Bool, on runtime: any Runtime
  ) async throws {
    guard let start = reserve(bytes, now: runtime.now), !urgent else { return }
    try await runtime.sleep(until: start)
  }
}
