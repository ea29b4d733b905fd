// One request and its answer: two runs of bytes over a connection that many share.
//
// Invariants:
//   1. What was received and not read is at most the window: a sender that goes beyond ends the connection.
//   2. Credit goes back as bytes are read, in portions of half a window, and not at all once the other side has ended.
//   3. One task reads and one task writes at a time.

package import Base
import Synchronization

/// One side of a stream.
package final class MeshStream: Sendable {
  private struct State: ~Copyable {
    /// Received and not read.
    var inbox = StreamInbox()
    var peerHasEnded = false
    var weHaveEnded = false
    /// How many bytes may be sent.
    var credit: Int
    /// How many bytes were read and not given back as credit.
    var owed = 0
    /// How many bytes the other side may still send.
    var granted: Int
    var failure: MeshError?
    var isCancelled = false
    var reader = Parking()
    var writer = Parking()
    var handler: Task<Void, Never>?
  }

  /// The number on the wire.
  package let id: UInt64
  /// Who is at the other end.
  package var peer: NodeID { connection.peer }
  /// When both sides give up.
  package let deadline: MonotonicInstant
  private let connection: MeshConnection
  private let windowBytes: Int
  private let state: Mutex<State>

  init(
    _ connection: MeshConnection, id: UInt64, deadline: MonotonicInstant, credit: Int,
    windowBytes: Int
  ) {
    self.connection = connection
    self.id = id
    self.deadline = deadline
    self.windowBytes = windowBytes
    state = Mutex(State(credit: credit, granted: windowBytes))
  }

  // MARK: Reading

  /// Reads at least one byte into `buffer` and returns how many; 0 when the other side has ended.
  ///
  /// - Throws: `MeshError`, `CancellationError`.
  package nonisolated(nonsending) func read(
    into buffer: UnsafeMutableRawBufferPointer
  ) async throws -> Int {
    try await take(max: buffer.count) { buffer.copyMemory(from: $0) }
  }

  /// Reads from one to `max` bytes; none when the other side has ended.
  ///
  /// - Throws: `MeshError`, `CancellationError`.
  package nonisolated(nonsending) func read(max: Int) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    _ = try await take(max: max) { bytes = Array($0) }
    return bytes
  }

  /// Gives `body` what there is, once there is something, and returns how many bytes.
  private nonisolated(nonsending) func take(
    max: Int, _ body: (UnsafeRawBufferPointer) -> Void
  ) async throws -> Int {
    while true {
      var owed = 0
      let count: Int? = try state.withLock { state throws -> Int? in
        let count = state.inbox.take(max: max, body)
        if count > 0 {
          owed = didRead(count, &state)
          return count
        }
        try check(&state)
        return state.peerHasEnded || max == 0 ? 0 : nil
      }
      if owed > 0 { connection.sendCredit(id, owed) }
      if let count { return count }
      await park(.reader) { !$0.inbox.isEmpty || $0.peerHasEnded }
    }
  }

  /// Notes bytes that were read; returns how much credit is to be given back now.
  private func didRead(_ count: Int, _ state: inout State) -> Int {
    if state.peerHasEnded, state.inbox.isEmpty { state.inbox.drop() }
    state.owed += count
    guard state.owed >= windowBytes / 2, !state.peerHasEnded else { return 0 }
    defer { state.owed = 0 }
    state.granted += state.owed
    return state.owed
  }

  // MARK: Writing

  /// Sends `bytes`, as the other side has room for them.
  ///
  /// - Parameter isEnd: Whether this direction ends with them.
  /// - Throws: `MeshError`, `CancellationError`.
  package nonisolated(nonsending) func write(
    _ bytes: UnsafeRawBufferPointer, isEnd: Bool = false
  ) async throws {
    try await send(0..<bytes.count, isEnd: isEnd) { range, frame in
      frame.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[range]))
    }
  }

  /// Sends the bytes of `bytes` from the position `start` on; as above.
  package nonisolated(nonsending) func write(
    _ bytes: [UInt8], from start: Int = 0, isEnd: Bool = false
  ) async throws {
    try await send(start..<bytes.count, isEnd: isEnd) { range, frame in
      frame.append(contentsOf: bytes[range])
    }
  }

  /// Ends this direction.
  ///
  /// - Throws: `MeshError`, `CancellationError`.
  package nonisolated(nonsending) func finish() async throws { try await write([], isEnd: true) }

  /// Sends the bytes of a range, which `append` adds to a frame piece by piece.
  private nonisolated(nonsending) func send(
    _ range: Range<Int>, isEnd: Bool, append: (Range<Int>, inout [UInt8]) -> Void
  ) async throws {
    var rest = range
    repeat {
      let count = rest.isEmpty ? 0 : try await reserve(rest.count)
      let piece = rest.prefix(count)
      rest = rest.dropFirst(count)
      try await connection.send(
        .data, flags: isEnd && rest.isEmpty ? .end : [], stream: id, payloadBytes: count
      ) { append(piece, &$0) }
    } while !rest.isEmpty
    if isEnd { end() }
  }

  /// Takes credit for at most `wanted` bytes of one frame, once there is some.
  private nonisolated(nonsending) func reserve(_ wanted: Int) async throws -> Int {
    while true {
      let count = try state.withLock { state throws in
        try check(&state)
        precondition(!state.weHaveEnded, "a stream that was ended is written to")
        let count = min(wanted, state.credit, FrameHead.payloadBytesMax)
        state.credit -= count
        return count
      }
      if count > 0 { return count }
      await park(.writer) { $0.credit > 0 }
    }
  }

  /// Notes that this side has ended, which the open frame may have said.
  func end() {
    let isOver = state.withLock { state in
      state.weHaveEnded = true
      return state.peerHasEnded
    }
    if isOver { connection.forget(self) }
  }

  /// Ends the stream in both directions, if it is not over.
  package func cancel(_ code: ResetCode = .cancelled, _ text: String = "") {
    guard fail(.reset(code, text)) else { return }
    connection.sendReset(id, code, text)
    connection.forget(self)
  }

  // MARK: Waiting

  private func check(_ state: inout State) throws {
    if state.isCancelled { throw CancellationError() }
    if let failure = state.failure { throw failure }
  }

  private enum Side { case reader, writer }

  /// Waits until woken; returns at once when `isReady` or the stream has failed.
  private nonisolated(nonsending) func park(
    _ side: Side, _ isReady: (borrowing State) -> Bool
  ) async {
    await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        let isWaiting = state.withLock { state in
          if isReady(state) || state.failure != nil || state.isCancelled { return false }
          switch side {
          case .reader: state.reader.park(continuation)
          case .writer: state.writer.park(continuation)
          }
          return true
        }
        if !isWaiting { continuation.resume() }
      }
    } onCancel: {
      state.withLock { state in
        state.isCancelled = true
        state.reader.wake()
        state.writer.wake()
      }
      cancel()
    }
  }

  // MARK: For the connection

  /// Takes what came; `false` when the stream is over with it.
  ///
  /// - Throws: `MeshError.violation` when it is more than was granted, or after the end.
  func receive(_ bytes: UnsafeRawBufferPointer, isEnd: Bool) throws(MeshError) -> Bool {
    try state.withLock { state throws(MeshError) in
      guard !state.peerHasEnded else { throw .violation("bytes after the end of a stream") }
      guard bytes.count <= state.granted else { throw .violation("more bytes than were granted") }
      state.granted -= bytes.count
      // Who gave up reads no more.
      if state.failure == nil { state.inbox.append(bytes) }
      state.peerHasEnded = isEnd
      state.reader.wake()
      return !(isEnd && state.weHaveEnded)
    }
  }

  /// Lets `bytes` more be sent.
  func grant(_ bytes: Int) throws(MeshError) {
    try state.withLock { state throws(MeshError) in
      let (sum, overflow) = state.credit.addingReportingOverflow(bytes)
      guard !overflow, sum <= Self.creditMax else { throw .violation("too much credit") }
      state.credit = sum
      state.writer.wake()
    }
  }

  /// Far beyond what any window is, and far from overflowing.
  private static let creditMax = 1 << 32

  /// Ends the stream on this side; `false` when it had ended before.
  @discardableResult
  func fail(_ error: MeshError) -> Bool {
    let (isFirst, handler): (Bool, Task<Void, Never>?) = state.withLock { state in
      guard state.failure == nil, !(state.peerHasEnded && state.weHaveEnded) else {
        return (false, nil)
      }
      state.failure = error
      state.inbox.drop()
      state.reader.wake()
      state.writer.wake()
      defer { state.handler = nil }
      return (true, state.handler)
    }
    handler?.cancel()
    return isFirst
  }

  /// Notes the task that answers, so that it ends when the stream fails.
  func answer(by task: Task<Void, Never>) {
    let hasFailed = state.withLock { state in
      if state.failure == nil { state.handler = task }
      return state.failure != nil
    }
    if hasFailed { task.cancel() }
  }
}
