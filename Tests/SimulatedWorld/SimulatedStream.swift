// One end of a simulated connection.

package import Base
private import Glibc
package import Reactor

/// One direction of a connection of the simulated world.
protocol SimulatedLane: AnyObject {
  /// How many more bytes fit.
  var roomBytes: Int { get }
  /// Whether a read would return at once.
  var isReadable: Bool { get }
  /// Why reads fail once everything that has arrived is read.
  var readFailure: Int32? { get }
  /// Why writes fail.
  var writeFailure: Int32? { get }

  /// Takes arrived bytes; 0 when there are none.
  func take(into buffer: UnsafeMutableRawBufferPointer) -> Int
  /// Sends bytes, no more than there is room for.
  func send(_ bytes: UnsafeRawBufferPointer)
  /// Says that nothing more comes.
  func finish()
  /// The reading end is closed: nobody will take what is written.
  func abandon()
  /// Waits until something has changed.
  nonisolated(nonsending) func wait(deadline: MonotonicInstant) async throws
}

/// A `ByteStream` of the simulated world; see `SimulatedPipe` and `SimulatedNetwork`.
package final class SimulatedStream: ByteStream, @unchecked Sendable {
  // Safe because only the runtime's one thread touches it.

  private let incoming: any SimulatedLane
  private let outgoing: any SimulatedLane
  /// What keeps the lanes alive.
  private let owner: AnyObject?
  private var isClosed = false

  package let peerAddress: SocketAddress?
  /// The other end, as logs would name it.
  package let peerDescription: String

  init(
    incoming: any SimulatedLane, outgoing: any SimulatedLane, owner: AnyObject? = nil,
    peerAddress: SocketAddress? = nil, peerDescription: String
  ) {
    self.incoming = incoming
    self.outgoing = outgoing
    self.owner = owner
    self.peerAddress = peerAddress
    self.peerDescription = peerDescription
  }

  package nonisolated(nonsending) func read(
    into buffer: UnsafeMutableRawBufferPointer, deadline: MonotonicInstant
  ) async throws -> Int {
    while true {
      try check()
      let count = incoming.take(into: buffer)
      if count > 0 { return count }
      if let errno = incoming.readFailure { throw StreamError.disconnected(errno: errno) }
      if incoming.isReadable || buffer.count == 0 { return 0 }
      try await incoming.wait(deadline: deadline)
    }
  }

  package nonisolated(nonsending) func waitUntilReadable(deadline: MonotonicInstant) async throws {
    while true {
      try check()
      if incoming.isReadable { return }
      try await incoming.wait(deadline: deadline)
    }
  }

  package nonisolated(nonsending) func write(
    _ bytes: UnsafeRawBufferPointer, deadline: MonotonicInstant
  ) async throws {
    var rest = bytes[...]
    while true {
      try check()
      if let errno = outgoing.writeFailure { throw StreamError.disconnected(errno: errno) }
      let piece = rest.prefix(outgoing.roomBytes)
      if !piece.isEmpty {
        outgoing.send(UnsafeRawBufferPointer(rebasing: piece))
        rest = rest.dropFirst(piece.count)
      }
      if rest.isEmpty { return }
      try await outgoing.wait(deadline: deadline)
    }
  }

  package nonisolated(nonsending) func finishWriting(deadline: MonotonicInstant) async throws {
    try check()
    if let errno = outgoing.writeFailure, errno != EPIPE {
      throw StreamError.disconnected(errno: errno)
    }
    outgoing.finish()
  }

  package func close() {
    guard !isClosed else { return }
    isClosed = true
    incoming.abandon()
    outgoing.finish()
  }

  private func check() throws {
    try Task.checkCancellation()
    if isClosed { throw StreamError.disconnected(errno: 0) }
  }
}
