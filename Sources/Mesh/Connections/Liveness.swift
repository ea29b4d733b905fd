// Whether the peer of a connection is still there, and how far away it is.

package import Base
import Codecs
import Synchronization

/// What is known of the life at the other end.
package final class Liveness: Sendable {
  /// A connection on which nothing came for about this long is asked.
  ///
  /// Not exactly: where both sides wait the same time, always the same one would ask, and only who asks learns how far away
  /// the other is.
  private static let quiet: ClosedRange<Duration> = .milliseconds(2300) ... .milliseconds(3200)
  /// A peer that has said nothing for this long is taken for dead: two questions were not answered, and whoever watches
  /// knows within 10 s.
  static let silenceMax: Duration = .milliseconds(8500)

  private struct State {
    var lastHeard: MonotonicInstant
    var nextQuestion: MonotonicInstant
    var pause: Duration = quiet.lowerBound
    var roundTrip: Duration?
    /// The question that was not answered yet.
    var asked: (number: UInt64, at: MonotonicInstant)?
    var nextNumber: UInt64 = 1
  }

  private let state: Mutex<State>

  init(now: MonotonicInstant) { state = Mutex(State(lastHeard: now, nextQuestion: now)) }

  /// When the peer was heard last.
  package var lastHeard: MonotonicInstant { state.withLock(\.lastHeard) }

  /// When the peer is taken for dead unless it is heard.
  var deadline: MonotonicInstant { lastHeard + Self.silenceMax }

  /// When it is to be asked next, unless it is heard.
  var nextQuestion: MonotonicInstant { state.withLock(\.nextQuestion) }

  /// The time between a question and its answer, smoothed; `nil` before the first one.
  package var roundTrip: Duration? { state.withLock(\.roundTrip) }

  /// A pause before the next question.
  static func pause(_ random: any RandomSource) -> Duration {
    let width = (quiet.upperBound - quiet.lowerBound).wholeNanoseconds
    return quiet.lowerBound + .nanoseconds(Int64(random.below(Int(width))))
  }

  func heard(at now: MonotonicInstant) {
    state.withLock { state in
      state.lastHeard = now
      state.nextQuestion = now + state.pause
    }
  }

  /// The number of a question; the next one is due after `pause`, unless the peer is heard.
  func ask(at now: MonotonicInstant, nextIn pause: Duration) -> UInt64 {
    state.withLock { state in
      state.pause = pause
      state.nextQuestion = now + pause
      let number = state.nextNumber
      state.nextNumber += 1
      state.asked = (number, now)
      return number
    }
  }

  /// Takes an answer; one to an older question says nothing of the time.
  func answered(_ number: UInt64, at now: MonotonicInstant) {
    state.withLock { state in
      guard let asked = state.asked, asked.number == number else { return }
      state.asked = nil
      let sample = now - asked.at
      // As TCP does it (RFC 6298, section 2): one part in eight of the new.
      state.roundTrip = state.roundTrip.map { $0 + (sample - $0) / 8 } ?? sample
    }
  }
}

/// What a ping carries: a number, and news.
enum Ping {
  /// The most bytes of news.
  static let newsBytesMax = 64

  static func encode(_ number: UInt64, news: [UInt8]) -> [UInt8] {
    var writer = BinaryWriter()
    writer.u64(number)
    writer.raw(news.prefix(newsBytesMax))
    return writer.bytes
  }

  static func decode(
    _ bytes: UnsafeRawBufferPointer
  ) throws(MeshError) -> (number: UInt64, news: [UInt8]) {
    var reader = BinaryReader(bytes)
    guard let number = try? reader.u64(), reader.remainingCount <= newsBytesMax else {
      throw .violation("a ping is malformed")
    }
    return (number, reader.remaining())
  }
}
