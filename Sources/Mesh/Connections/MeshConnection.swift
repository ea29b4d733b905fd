// One connection to another node: many streams over one TLS session.
//
// Three tasks share it: one reads frames and hands them to their streams, one writes what has gathered in the outbox, one
// asks whether the peer is still there. All run on the loop that the socket belongs to; streams are used from any.
//
// Invariants:
//   1. Frames go out in the order in which they were given to `send`; those of one stream are never reordered.
//   2. What waits to go out is bounded: who sends data waits for room; what answers a peer (credit, resets, pings) does
//      not wait, and a peer that provokes more of it than `outboxBytesMax` four times over, and reads none, is cut off.
//   3. When the connection ends, every stream fails, once, with the reason.

package import Base
import Codecs
package import Reactor
import Synchronization

/// An established connection, after both hellos.
package final class MeshConnection: Sendable {
  private struct State {
    var outbox: [UInt8] = []
    /// Those who wait for room in the outbox, or for a stream to become free.
    var senders: [UnsafeContinuation<Void, Never>] = []
    var openers: [UnsafeContinuation<Void, Never>] = []
    var streams: [UInt64: MeshStream] = [:]
    var ownOpen = 0
    var peersOpen = 0
    /// Answers under way, also on streams that are over: who is cancelled takes a while to end.
    var answering = 0
    var nextID: UInt64
    /// The highest number of a stream that the peer has opened.
    var peersLast: UInt64 = 0
    var failure: MeshError?
    /// When the next look for streams whose time is over is due.
    var nextExpiry = MonotonicInstant.distantFuture
    var expiry: Task<Void, Never>?
    /// The tasks that wait at each `Place`.
    var parked: [UnsafeContinuation<Void, Never>?] = [nil, nil]

    mutating func wake(_ place: Place) {
      parked[place.rawValue]?.resume()
      parked[place.rawValue] = nil
    }
  }

  /// Where one task may wait: the writer for something to write, and who watches for the end.
  private enum Place: Int { case writer, ending }

  /// Where several tasks may wait, in the order in which they came: for room in the outbox, or for a stream to end.
  private enum Line { case senders, openers }

  package let peer: NodeID
  package let lane: MeshLane
  /// Whether this node dialled.
  package let isDialler: Bool
  /// What the peer said of itself.
  package let hello: Hello
  /// The address at the other end of the socket.
  package let peerAddress: SocketAddress?
  /// When it was made.
  package let made: MonotonicInstant
  let runtime: any Runtime
  let wire: MeshWire
  package let liveness: Liveness
  private let state: Mutex<State>

  /// A connection on which both have said hello.
  ///
  /// - Parameter hello: The peer's.
  package init(
    peer: NodeID, isDialler: Bool, hello: Hello, wire: MeshWire, runtime: any Runtime
  ) {
    self.peer = peer
    self.isDialler = isDialler
    self.hello = hello
    lane = hello.lane
    self.wire = wire
    self.runtime = runtime
    peerAddress = wire.stream.peerAddress
    made = runtime.now
    liveness = Liveness(now: runtime.now)
    state = Mutex(State(nextID: isDialler ? 1 : 2))
  }

  /// Why it ended; `nil` while it lives.
  package var failure: MeshError? { state.withLock(\.failure) }

  // MARK: Streams

  /// Opens a stream to the endpoint `name`, with the first bytes of what is asked.
  ///
  /// Waits while the peer has as many streams of ours as it allows.
  ///
  /// - Throws: `MeshError`, `CancellationError`.
  package nonisolated(nonsending) func open(
    _ name: StaticString, deadline: MonotonicInstant, first: [UInt8], isEnd: Bool
  ) async throws -> MeshStream {
    var head = BinaryWriter(capacity: 96)
    OpenHead(endpoint: "\(name)", timeout: deadline.timeout(from: runtime.now)).write(to: &head)
    let count = min(
      first.count, hello.windowBytes, FrameHead.payloadBytesMax - head.bytes.count)
    head.raw(first[..<count])
    let endsAtOnce = isEnd && count == first.count
    let stream = try await begin(
      deadline: deadline, spent: count, head.bytes, flags: endsAtOnce ? .end : [])
    if endsAtOnce {
      stream.end()
    } else if count < first.count || isEnd {
      try await stream.write(first, from: count, isEnd: isEnd)
    }
    return stream
  }

  /// Takes a number and sends the open frame, in one step: numbers on the wire only grow.
  private nonisolated(nonsending) func begin(
    deadline: MonotonicInstant, spent: Int, _ payload: [UInt8], flags: FrameFlags
  ) async throws -> MeshStream {
    while true {
      try Task.checkCancellation()
      let stream: MeshStream? = try state.withLock { state throws in
        if let failure = state.failure { throw failure }
        guard state.ownOpen < hello.streamsMax, state.outbox.count < lane.outboxBytesMax else {
          return nil
        }
        let stream = MeshStream(
          self, id: state.nextID, deadline: deadline, credit: hello.windowBytes - spent,
          windowBytes: lane.windowBytes)
        state.nextID += 2
        state.ownOpen += 1
        state.streams[stream.id] = stream
        append(
          FrameHead(.open, flags: flags, stream: stream.id, payloadBytes: payload.count), &state)
        state.outbox += payload
        return stream
      }
      if let stream {
        watch(deadline)
        return stream
      }
      await park { state in
        if state.ownOpen >= self.hello.streamsMax { return .openers }
        return state.outbox.count >= self.lane.outboxBytesMax ? .senders : nil
      }
    }
  }

  /// Takes a stream off the list, once it is over.
  func forget(_ stream: MeshStream) {
    let opener = state.withLock { state -> UnsafeContinuation<Void, Never>? in
      guard state.streams.removeValue(forKey: stream.id) != nil else { return nil }
      guard isOwn(stream.id) else {
        state.peersOpen -= 1
        return nil
      }
      state.ownOpen -= 1
      return state.openers.isEmpty ? nil : state.openers.removeFirst()
    }
    opener?.resume()
  }

  private func isOwn(_ id: UInt64) -> Bool { (id & 1 == 1) == isDialler }

  /// Notes a stream that the peer opens.
  ///
  /// - Throws: `MeshError.violation`.
  func accept(_ id: UInt64, deadline: MonotonicInstant) throws(MeshError) -> MeshStream {
    let stream = try state.withLock { state throws(MeshError) in
      guard !isOwn(id), id > state.peersLast else { throw .violation("a stream's number is wrong") }
      guard state.peersOpen < lane.streamsMax else { throw .violation("too many open streams") }
      let stream = MeshStream(
        self, id: id, deadline: deadline, credit: hello.windowBytes, windowBytes: lane.windowBytes)
      state.peersLast = id
      state.peersOpen += 1
      state.streams[id] = stream
      return stream
    }
    watch(deadline)
    return stream
  }

  /// The stream of a frame; `nil` for one that is over.
  ///
  /// - Throws: `MeshError.violation` for one that was never opened.
  func stream(_ id: UInt64) throws(MeshError) -> MeshStream? {
    try state.withLock { state throws(MeshError) in
      if let stream = state.streams[id] { return stream }
      guard isOwn(id) ? id < state.nextID : id <= state.peersLast else {
        throw .violation("a frame of a stream that was never opened")
      }
      return nil
    }
  }

  /// Lets `handler` answer a stream that the peer has opened.
  ///
  /// A peer that resets its streams may open others at once; what it made us begin is bounded all the same.
  func answer(_ stream: MeshStream, by handler: MeshHandler) {
    let hasRoom = state.withLock { state in
      guard state.answering < 2 * lane.streamsMax else { return false }
      state.answering += 1
      return true
    }
    guard hasRoom else { return stream.cancel(.overloaded, "earlier answers are still under way") }
    stream.answer(
      by: runtime.spawn { [self] in
        await handler.answer(stream)
        state.withLock { $0.answering -= 1 }
      })
  }

  // MARK: Sending

  /// Sends a frame, once there is room for it.
  ///
  /// - Throws: `MeshError`, `CancellationError`.
  nonisolated(nonsending) func send(
    _ kind: FrameKind, flags: FrameFlags = [], stream: UInt64, payloadBytes: Int,
    append payload: (inout [UInt8]) -> Void
  ) async throws {
    while true {
      try Task.checkCancellation()
      let isSent = try state.withLock { state throws in
        if let failure = state.failure { throw failure }
        guard state.outbox.count < lane.outboxBytesMax else { return false }
        append(FrameHead(kind, flags: flags, stream: stream, payloadBytes: payloadBytes), &state)
        payload(&state.outbox)
        return true
      }
      if isSent { return }
      await park { $0.outbox.count >= self.lane.outboxBytesMax ? .senders : nil }
    }
  }

  /// Sends a frame that may not wait; see invariant 2.
  private func sendAtOnce(
    _ kind: FrameKind, flags: FrameFlags = [], stream: UInt64 = 0, _ payload: [UInt8]
  ) {
    let isFull = state.withLock { state in
      guard state.failure == nil else { return false }
      append(
        FrameHead(kind, flags: flags, stream: stream, payloadBytes: payload.count), &state)
      state.outbox += payload
      return state.outbox.count > 4 * lane.outboxBytesMax
    }
    if isFull { close(.violation("it asks for answers and reads none")) }
  }

  func sendCredit(_ stream: UInt64, _ bytes: Int) {
    var writer = BinaryWriter()
    writer.u32(UInt32(clamping: bytes))
    sendAtOnce(.credit, stream: stream, writer.bytes)
  }

  func sendReset(_ stream: UInt64, _ code: ResetCode, _ text: String) {
    sendAtOnce(.reset, stream: stream, Notice.encode(code.rawValue, text))
  }

  func sendPing(_ payload: [UInt8], isAnswer: Bool) {
    sendAtOnce(.ping, flags: isAnswer ? .answer : [], payload)
  }

  /// Adds the head of a frame, whose payload must follow under the same lock, and wakes the writer.
  private func append(_ head: FrameHead, _ state: inout State) {
    head.append(to: &state.outbox)
    state.wake(.writer)
  }

  /// What has gathered, once there is something; `spent` is what came before, whose memory is used again.
  ///
  /// - Throws: `MeshError` when the connection has ended and everything is out, `CancellationError`.
  nonisolated(nonsending) func nextBatch(_ spent: consuming [UInt8]) async throws -> [UInt8] {
    // An idle connection keeps no buffer.
    let isLarge = spent.capacity > Self.keptBytesMax
    spent.removeAll(keepingCapacity: !isLarge)
    var free = spent
    while true {
      try Task.checkCancellation()
      let senders: [UnsafeContinuation<Void, Never>]? = try state.withLock { state throws in
        if !state.outbox.isEmpty {
          swap(&state.outbox, &free)
          defer { state.senders = [] }
          return state.senders
        }
        if let failure = state.failure { throw failure }
        return nil
      }
      if let senders {
        for sender in senders { sender.resume() }
        return free
      }
      await parkWriter()
    }
  }

  private static let keptBytesMax = 4 << 10

  private nonisolated(nonsending) func parkWriter() async {
    await parkCancellably(.writer) { $0.outbox.isEmpty }
  }

  /// Waits until the connection has ended, or the task is cancelled.
  nonisolated(nonsending) func waitForEnd() async {
    await parkCancellably(.ending) { _ in true }
  }

  /// Waits in `place` until woken; not at all when the connection has ended or `isToWait` says no.
  private nonisolated(nonsending) func parkCancellably(
    _ place: Place, _ isToWait: (borrowing State) -> Bool
  ) async {
    await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        let isWaiting = state.withLock { state in
          guard state.failure == nil, !Task.isCancelled, isToWait(state) else { return false }
          state.parked[place.rawValue] = continuation
          return true
        }
        if !isWaiting { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.wake(place) }
    }
  }

  /// Waits in the line that `line` names, until there is a change; not at all when it names none.
  private nonisolated(nonsending) func park(
    _ line: (borrowing State) -> Line?
  ) async {
    await withUnsafeContinuation { continuation in
      let isWaiting = state.withLock { state in
        guard state.failure == nil, let line = line(state) else { return false }
        switch line {
        case .senders: state.senders.append(continuation)
        case .openers: state.openers.append(continuation)
        }
        return true
      }
      if !isWaiting { continuation.resume() }
    }
  }

  // MARK: Deadlines

  /// Makes sure that streams are looked at when `deadline` has passed.
  private func watch(_ deadline: MonotonicInstant) {
    let before = state.withLock { state -> Task<Void, Never>? in
      guard state.failure == nil, deadline < state.nextExpiry else { return nil }
      state.nextExpiry = deadline
      defer {
        state.expiry = runtime.spawn { [weak self, runtime] in
          guard (try? await runtime.sleep(until: deadline)) != nil else { return }
          self?.expire()
        }
      }
      return state.expiry
    }
    before?.cancel()
  }

  private func expire() {
    let now = runtime.now
    let (late, next) = state.withLock { state in
      state.nextExpiry = .distantFuture
      state.expiry = nil
      let open = state.streams.values.sorted { $0.id < $1.id }
      return (
        open.filter { $0.deadline <= now },
        open.lazy.map(\.deadline).filter { $0 > now }.min() ?? .distantFuture
      )
    }
    for stream in late { stream.cancel(.timedOut) }
    if next != .distantFuture { watch(next) }
  }

  // MARK: The end

  /// Ends a connection that was made and is not wanted: nobody runs it, and the other side may be serving it already.
  func discard() { wire.stream.close() }

  /// Ends the connection; what was given to `send` before may still go out.
  ///
  /// May be called from anywhere, more than once; the first reason counts.
  package func close(_ error: MeshError) {
    let (streams, waiting, expiry) = state.withLock { state in
      guard state.failure == nil else {
        return ([MeshStream](), [UnsafeContinuation<Void, Never>](), Task<Void, Never>?.none)
      }
      if let notice = error.notice {
        append(FrameHead(.close, payloadBytes: notice.count), &state)
        state.outbox += notice
      }
      state.failure = error
      let waiting = state.senders + state.openers
      state.wake(.writer)
      state.wake(.ending)
      state.senders = []
      state.openers = []
      defer {
        state.streams = [:]
        state.expiry = nil
      }
      return (state.streams.values.sorted { $0.id < $1.id }, waiting, state.expiry)
    }
    expiry?.cancel()
    for continuation in waiting { continuation.resume() }
    for stream in streams { stream.fail(error.lost) }
  }
}

extension MonotonicInstant {
  /// How long until this, in whole milliseconds, at least 1; 0 for never.
  func timeout(from now: MonotonicInstant) -> UInt64 {
    guard self != .distantFuture else { return 0 }
    return UInt64(max(1, (self - now).wholeNanoseconds / 1_000_000))
  }
}

extension MeshError {
  /// What to tell the peer when the connection ends for this reason; `nil` for nothing.
  var notice: [UInt8]? {
    switch self {
    case .disconnected(.broken, _), .notConnected, .reset: nil
    case .disconnected(let reason, let text): Notice.encode(reason.rawValue, text)
    case .violation(let text): Notice.encode(CloseReason.violation.rawValue, text)
    }
  }

  /// What streams fail with when the connection ends for this reason.
  fileprivate var lost: MeshError {
    if case .violation(let text) = self { .disconnected(.violation, text) } else { self }
  }
}
