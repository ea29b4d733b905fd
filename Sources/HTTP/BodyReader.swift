// Reads a message's body from a connection, whatever frames it.

import Base
import Reactor

/// How slowly a body may arrive.
///
/// A wait for a piece may last `timeout`. All waits together may last `timeout` too, and longer by what
/// the bytes received would take at the least rate: who sends a byte a minute is not waited for.
struct BodyPace {
  private let timeout: Duration
  private let rateMin: UInt64
  private var waited: Duration = .zero
  private var received: UInt64 = 0

  init(timeout: Duration, rateMin: UInt64) {
    self.timeout = timeout
    self.rateMin = max(1, rateMin)
  }

  /// Until when the next piece may be waited for.
  func deadline(now: MonotonicInstant) -> MonotonicInstant {
    let earned = Duration.milliseconds(Int64(clamping: received / rateMin)) * 1000
    return now + min(timeout, timeout + earned - waited)
  }

  /// Takes note of a piece of `count` bytes that was waited for.
  mutating func note(_ count: Int, from start: MonotonicInstant, to end: MonotonicInstant) {
    waited += end - start
    received &+= UInt64(count)
  }
}

/// Reads one body.
final class BodyReader {
  private enum State {
    case length(UInt64)
    case chunked(ChunkedDecoder)
    case untilClose
    case finished
    /// The connection failed, or the body broke the rules: where it ends is unknown.
    case broken
  }

  private let connection: MessageStream
  private var state: State
  private var pace: BodyPace
  /// The fields behind a chunked body, once it has been read.
  private(set) var trailers = HTTPHeaders()
  /// How many bytes of content have been read.
  private(set) var receivedBytes: UInt64 = 0

  init(_ connection: MessageStream, framing: BodyFraming, pace: BodyPace) {
    self.connection = connection
    self.pace = pace
    state =
      switch framing {
      case .none, .length(0): .finished
      case .length(let count): .length(count)
      case .chunked: .chunked(ChunkedDecoder())
      case .untilClose: .untilClose
      }
  }

  /// Whether the next message can begin behind what has been read.
  var isFinished: Bool {
    if case .finished = state { return true }
    return false
  }

  var isBroken: Bool {
    if case .broken = state { return true }
    return false
  }

  /// How many bytes are left at least.
  var remainingMin: UInt64 {
    if case .length(let count) = state { return count }
    return 0
  }

  /// Reads at least one byte into `buffer`; 0 at the body's end.
  func read(into buffer: UnsafeMutableRawBufferPointer) async throws -> Int {
    precondition(!buffer.isEmpty, "a read into an empty buffer could not tell the end")
    let current = state
    // Until the read has succeeded: whatever interrupts it loses the body.
    if case .finished = current { return 0 }
    state = .broken
    let count: Int
    switch current {
    case .finished: count = 0
    case .broken: throw HTTPError.truncated
    case .length(let remaining):
      count = try await readLength(remaining, into: buffer)
    case .chunked(let decoder):
      count = try await readChunked(decoder, into: buffer)
    case .untilClose:
      count = try await readPlain(into: buffer)
      state = count > 0 ? .untilClose : .finished
    }
    receivedBytes &+= UInt64(count)
    return count
  }

  private func readLength(
    _ remaining: UInt64, into buffer: UnsafeMutableRawBufferPointer
  ) async throws -> Int {
    let wanted = Int(min(UInt64(buffer.count), remaining))
    let count = try await readPlain(
      into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]))
    guard count > 0 else { throw HTTPError.truncated }
    let rest = remaining - UInt64(count)
    state = rest > 0 ? .length(rest) : .finished
    return count
  }

  private func readChunked(
    _ start: ChunkedDecoder, into buffer: UnsafeMutableRawBufferPointer
  ) async throws -> Int {
    var decoder = start
    while true {
      if connection.received.isEmpty {
        let direct = Int(min(UInt64(buffer.count), decoder.dataRemaining))
        if direct >= Self.directMinBytes {
          let count = try await readPlain(
            into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<direct]))
          guard count > 0 else { throw HTTPError.truncated }
          decoder.skipData(count)
          state = .chunked(decoder)
          return count
        }
        guard try await receive() > 0 else { throw HTTPError.truncated }
      }
      let consumed: Int
      let produced: Int
      do {
        (consumed, produced) = try decoder.decode(connection.received.bytes, into: buffer)
      } catch {
        throw HTTPError.malformed(error)
      }
      connection.received.consume(consumed)
      // The last data and the end may have come together: to wait for more would be to wait for ever.
      if decoder.isFinished {
        trailers = decoder.trailers
        state = .finished
        return produced
      }
      if produced > 0 {
        state = .chunked(decoder)
        return produced
      }
    }
  }

  /// Takes what has arrived, or waits for the stream and lets it fill `buffer` without a copy.
  private func readPlain(into buffer: UnsafeMutableRawBufferPointer) async throws -> Int {
    let received = connection.received
    if !received.isEmpty {
      let count = min(buffer.count, received.bytes.count)
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: received.bytes[..<count]))
      received.consume(count)
      return count
    }
    received.release()
    return try await paced { start, deadline in
      try await connection.read(into: buffer, since: start, deadline: deadline)
    }
  }

  private func receive() async throws -> Int {
    try await paced { start, deadline in
      try await connection.receive(since: start, deadline: deadline)
    }
  }

  /// Waits by `read` as long as the pace allows.
  private func paced(
    _ read: nonisolated(nonsending) (MonotonicInstant, MonotonicInstant) async throws -> Int
  ) async throws -> Int {
    let start = connection.runtime.now
    do {
      let count = try await read(start, pace.deadline(now: start))
      pace.note(count, from: start, to: connection.runtime.now)
      return count
    } catch {
      throw HTTPError.inMessage(error)
    }
  }

  /// From here on a system call of its own costs less than a copy through the receive buffer saves.
  private static let directMinBytes = 4 << 10
}
