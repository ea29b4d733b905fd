// How fast a node may send, or receive: a family shares the line.
//
// What somebody waits for is counted and never held up; blocks take what is left, in pieces so small and so even that little
// of them lies in front of what is urgent, in this machine and in the routers behind it.

package import Base
import Synchronization

/// A limit on bytes a second, over all peers together.
package final class RateLimiter: Sendable {
  private let bytesPerSecond: Int?
  /// When everything that was counted is through.
  private let busyUntil = Mutex(MonotonicInstant(nanoseconds: 0))

  /// The time on the line of what goes out at once: an urgent message waits behind it.
  private static let piece: Duration = .milliseconds(2)
  /// How much of a pause is made up for, so that a timer that is a little late costs nothing.
  ///
  /// What goes out faster than the line waits in a router's queue, which drains at what the limit leaves free: at nine
  /// tenths of the line, 20 ms of it are there for a fifth of a second.
  private static let burst: Duration = .milliseconds(4)
  /// About one packet: what is smaller is no sooner through.
  private static let pieceBytesMin = 1400
  /// IP, TCP and TLS add one byte to so many: 52 to each 1,448, and 22 to a piece.
  ///
  /// An operator knows the rate of the line, which carries these too.
  private static let bytesPerHeadByte = 25

  /// How many bytes may go out at once.
  package let pieceBytesMax: Int

  /// A limiter; `nil` for none.
  package init(bytesPerSecond: Int?) {
    self.bytesPerSecond = bytesPerSecond.map { max(1, $0) }
    let piecesPerSecond = Int(Duration.seconds(1) / Self.piece)
    pieceBytesMax = bytesPerSecond.map { max(Self.pieceBytesMin, $0 / piecesPerSecond) } ?? .max
  }

  /// Counts `bytes` and what the layers below add, and returns until when to wait before they go out; `nil` for no wait.
  package func reserve(_ bytes: Int, now: MonotonicInstant) -> MonotonicInstant? {
    guard let bytesPerSecond else { return nil }
    let onTheLine = bytes + bytes / Self.bytesPerHeadByte
    let (product, _) = onTheLine.multipliedReportingOverflow(by: 1_000_000_000)
    let duration = Duration.nanoseconds(product / bytesPerSecond)
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
