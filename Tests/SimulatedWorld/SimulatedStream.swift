// One end of a simulated pipe.

package import Base
private import Glibc
import Reactor

/// A `ByteStream` of the simulated world; see `SimulatedPipe`.
package final class SimulatedStream: ByteStream, @unchecked Sendable {
  // Safe because only the runtime's one thread touches it.

  private let incoming: SimulatedPipe.Lane
  private let outgoing: SimulatedPipe.Lane
  private var isClosed = false

  /// The other end, as logs would name it.
  package let peerDescription: String

  init(incoming: SimulatedPipe.Lane, outgoing: SimulatedPipe.Lane, peer: String) {
    self.incoming = incoming
    self.outgoing = outgoing
    peerDescription = peer
  }

  package nonisolated(nonsending) func read(
    into buffer: UnsafeMutableRawBufferPointer, deadline: MonotonicInstant
  ) async throws -> Int {
    while true {
      try check()
      let count = incoming.take(into: buffer)
      if count > 0 { return count }
      if incoming.isCut { throw StreamError.disconnected(errno: ECONNRESET) }
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
      if outgoing.isCut { throw StreamError.disconnected(errno: ECONNRESET) }
      if outgoing.isAbandoned || outgoing.isFinished {
        throw StreamError.disconnected(errno: EPIPE)
      }
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
    if outgoing.isCut { throw StreamError.disconnected(errno: ECONNRESET) }
    outgoing.finish()
  }

  package func close() {
    guard !isClosed else { return }
    isClosed = true
    outgoing.finish()
    incoming.isAbandoned = true
  }

  private func check() throws {
    try Task.checkCancellation()
    if isClosed { throw StreamError.disconnected(errno: 0) }
  }
}
