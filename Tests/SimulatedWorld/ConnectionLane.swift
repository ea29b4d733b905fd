// One direction of a simulated TCP connection.
//
// What is written waits for the sender's line, travels for the link's delay, waits for the receiver's line, and
// arrives, in order. A piece that meets a cut on its way is lost and sent again later; pieces that overtook it wait
// for it. Room for more is given back by what the receiver says when its program has read, so a sender whose peer
// cannot be heard stalls, even if its own bytes arrive.

import Base
private import Glibc
import Reactor

final class ConnectionLane: SimulatedLane {
  private enum Content {
    case opening
    case bytes(ArraySlice<UInt8>)
    case end
  }

  private struct Piece {
    var number: Int
    var content: Content
  }

  /// How much is sent at a time over a line with a limit, so that connections take turns on it.
  private static let turnBytes = 16 * 1024
  /// How much may be under way: what Linux gives a connection before it has learned more.
  static let capacityBytes = 256 * 1024
  /// The longest wait until something is sent again: a kernel doubles it up to 120 s, programs give up before.
  private static let resendMax: Duration = .seconds(10)

  private unowned let connection: SimulatedConnection
  private let side: Int
  private let waits: SimulatedWaits

  // The sender's.
  private var unsent: [Content] = []
  private var isSending = false
  private var sentCount = 0
  /// Lost on the way, to be sent again.
  private var lost: [Piece] = []
  private var heldBytes = 0
  /// Read by the receiver, which could not say so.
  private var untoldBytes = 0
  private var isFinished = false
  /// Nothing is left that could be sent again.
  private var isForgotten = false
  var writeFailure: Int32? { didSet { waits.wakeAll() } }
  /// Since when something has been waiting for the path to open.
  private(set) var stalledSince: MonotonicInstant?

  // The way's.
  private var lastReach = MonotonicInstant(nanoseconds: 0)
  private var lastArrival = MonotonicInstant(nanoseconds: 0)
  /// The number of the piece that is let through next, and those that came before it.
  private var nextNumber = 0
  private var early: [Piece] = []

  // The receiver's.
  private var arrived: [UInt8] = []
  private var arrivedStart = 0
  private var hasEnded = false
  var readFailure: Int32? { didSet { waits.wakeAll() } }

  init(_ connection: SimulatedConnection, side: Int) {
    self.connection = connection
    self.side = side
    waits = SimulatedWaits(connection.net.runtime)
  }

  private var world: SimulatedRuntime { connection.net.runtime }
  private var isOpen: Bool { connection.isOpen(from: side) }

  // MARK: Sending

  var roomBytes: Int { max(0, Self.capacityBytes - heldBytes) }

  func send(_ bytes: UnsafeRawBufferPointer) {
    heldBytes += bytes.count
    push(.bytes([UInt8](bytes)[...]))
  }

  /// Sends the last packet of the handshake.
  func open() { push(.opening) }

  func finish() {
    guard !isFinished else { return }
    isFinished = true
    if writeFailure == nil { writeFailure = EPIPE }
    push(.end)
  }

  private func push(_ content: Content) {
    guard !connection.isGone(side) else { return }
    unsent.append(content)
    sendMore()
  }

  /// Forgets what has not left the sender, which is no more or knows that it is of no use.
  func forgetUnsent() {
    unsent = []
    lost = []
    isForgotten = true
    isFinished = true
    stalledSince = nil
  }

  private func sendMore() {
    while !isSending, !unsent.isEmpty {
      guard isOpen, lost.isEmpty else { return stall() }
      let content = unsent.removeFirst()
      let sender = connection.hosts[side]
      guard case .bytes(let bytes) = content, !connection.isLocal, sender.uplink.hasLimit else {
        launch(content)
        continue
      }
      let turn = bytes.prefix(Self.turnBytes)
      if turn.count < bytes.count { unsent.insert(.bytes(bytes.dropFirst(turn.count)), at: 0) }
      isSending = true
      later(sender.uplink.pass(turn.count, at: world.now)) { [self] in
        isSending = false
        launch(.bytes(turn))
        sendMore()
      }
    }
  }

  private func launch(_ content: Content) {
    launch(Piece(number: sentCount, content: content))
    sentCount += 1
  }

  private func launch(_ piece: Piece) {
    let delay = world.worldRandom.duration(in: connection.link(from: side).delay)
    lastReach = max(lastReach, world.now + delay)
    later(lastReach) { [self] in reach(piece) }
  }

  private func later(_ time: MonotonicInstant, _ action: @escaping () -> Void) {
    world.at(time) { [connection = connection] in
      if !connection.isOver { action() }
    }
  }

  // MARK: Stalls

  private func stall() { if stalledSince == nil { stalledSince = world.now } }

  /// The path may be open: what waits is sent again after a while, as a kernel notices nothing before its timer.
  func resumeLater() {
    guard let since = stalledSince else { return }
    let wait = min(world.now - since, Self.resendMax)
    later(world.now + world.worldRandom.duration(in: .zero...wait)) { [self] in resume() }
  }

  private func resume() {
    let since = stalledSince
    stalledSince = nil
    if isOpen {
      let again = lost.sorted { $0.number < $1.number }
      lost = []
      for piece in again { launch(piece) }
    }
    // The other direction carries what the receiver has to say.
    if connection.isOpen(from: 1 - side) {
      heldBytes -= untoldBytes
      untoldBytes = 0
      waits.wakeAll()
    }
    if !lost.isEmpty || untoldBytes > 0 { stalledSince = since }
    sendMore()
  }

  // MARK: Arriving

  /// A piece is at the receiver's line.
  private func reach(_ piece: Piece) {
    guard isOpen else {
      if isForgotten { return }
      lost.append(piece)
      return stall()
    }
    guard piece.number == nextNumber else {
      early.append(piece)
      return
    }
    pass(piece)
    while let index = early.firstIndex(where: { $0.number == nextNumber }) {
      pass(early.remove(at: index))
    }
  }

  private func pass(_ piece: Piece) {
    nextNumber += 1
    let receiver = connection.hosts[1 - side]
    var time = world.now
    if case .bytes(let bytes) = piece.content, !connection.isLocal {
      time = receiver.downlink.pass(bytes.count, at: time)
    }
    lastArrival = max(lastArrival, time)
    if lastArrival == world.now {
      arrive(piece.content)
    } else {
      later(lastArrival) { [self] in arrive(piece.content) }
    }
  }

  private func arrive(_ content: Content) {
    let receiver = 1 - side
    switch content {
    case .opening: connection.opened()
    case .end:
      hasEnded = true
      waits.wakeAll()
    case .bytes(let bytes):
      if connection.isGone(receiver) { return connection.sendReset(from: receiver) }
      world.counters.bytes += bytes.count
      world.mix(UInt64(connection.number) << 32 | UInt64(bytes.count))
      arrived += bytes
      waits.wakeAll()
    }
  }

  // MARK: Reading

  var hasUnread: Bool { arrivedStart < arrived.count }

  var isReadable: Bool { hasUnread || hasEnded || readFailure != nil }

  func take(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    var count = min(buffer.count, arrived.count - arrivedStart)
    guard count > 0 else { return 0 }
    if world.worldRandom.below(100) < connection.link(from: side).shortReadPercent {
      count = 1 + world.worldRandom.below(count)
    }
    arrived.withUnsafeBytes {
      buffer.copyMemory(from: .init(rebasing: $0[arrivedStart..<arrivedStart + count]))
    }
    arrivedStart += count
    if arrivedStart == arrived.count {
      arrived.removeAll(keepingCapacity: arrived.count <= Self.turnBytes)
      arrivedStart = 0
    }
    if connection.isOpen(from: 1 - side) {
      heldBytes -= count
      waits.wakeAll()
    } else {
      untoldBytes += count
      stall()
    }
    return count
  }

  func abandon() { connection.close(1 - side) }

  nonisolated(nonsending) func wait(deadline: MonotonicInstant) async throws {
    try await waits.wait(deadline: deadline)
  }
}
