// A connected socket, TCP or Unix, as a stream of bytes.

package import Base
private import CLinux
private import Glibc

/// One end of a connection.
///
/// It belongs to the loop on which it was made; only `close` may be called elsewhere.
///
/// Dropping the last reference closes it too.
package final class SocketStream: ByteStream {
  let channel: Channel
  /// The other side's address; a Unix path, often empty, for a Unix socket.
  private let peer: SocketAddress

  /// Takes over a connected, non-blocking socket.
  ///
  /// Must be called on the loop's thread.
  ///
  /// - Throws: `StreamError.disconnected`; the socket is closed then.
  init(adopting descriptor: Int32, on loop: EventLoop, peer: SocketAddress? = nil) throws {
    guard let peer = peer ?? SocketAddress(peerOf: descriptor) else {
      // Reset before it was accepted: what it asked would be of nobody.
      let reason = errno
      Glibc.close(descriptor)
      throw StreamError.disconnected(errno: reason)
    }
    self.peer = peer
    channel = try Channel(adopting: descriptor, on: loop)
    if !peer.isUnix { Self.setOptions(descriptor) }
  }

  /// For a connection that is being made.
  init(channel: Channel, peer: SocketAddress) {
    self.channel = channel
    self.peer = peer
    if !peer.isUnix { Self.setOptions(channel.descriptor) }
  }

  deinit { channel.close() }

  /// Two sockets joined to each other.
  ///
  /// - Throws: `StreamError.disconnected` when no descriptor is left.
  package static func pair(on loop: EventLoop) throws -> (SocketStream, SocketStream) {
    var ends: [Int32] = [-1, -1]
    let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, type, 0, &ends) == 0 else {
      throw StreamError.disconnected(errno: errno)
    }
    let first: SocketStream
    do {
      first = try SocketStream(adopting: ends[0], on: loop)
    } catch {
      Glibc.close(ends[1])
      throw error
    }
    return (first, try SocketStream(adopting: ends[1], on: loop))
  }

  /// A router forgets a silent connection after minutes; a peer that lost power never says goodbye.
  ///
  /// Asking after a minute of silence, and giving up after another, keeps the one alive and finds
  /// out about the other.
  private static let keepAliveIdleSeconds: Int32 = 60
  private static let keepAliveIntervalSeconds: Int32 = 15
  private static let keepAliveProbes: Int32 = 4

  /// How much of what was written the kernel keeps that it has not sent.
  ///
  /// Without a bound it takes up to what `tcp_wmem` allows, for each client that asks for much and does not read it, and no
  /// limit of ours counts that. With a quarter of this, large objects took a tenth more time.
  private static let unsentBytesMax: Int32 = 2 << 20

  private static func setOptions(_ descriptor: Int32) {
    set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    set(descriptor, Int32(IPPROTO_TCP), TCP_NOTSENT_LOWAT, unsentBytesMax)
    set(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1)
    set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPIDLE, keepAliveIdleSeconds)
    set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPINTVL, keepAliveIntervalSeconds)
    set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPCNT, keepAliveProbes)
  }

  private static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
    var value = value
    setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  // MARK: ByteStream

  package var peerAddress: SocketAddress? { peer.isUnix ? nil : peer.unmapped }

  package var peerDescription: String { peer.peerDescription }

  package nonisolated(nonsending) func read(
    into buffer: UnsafeMutableRawBufferPointer, deadline: MonotonicInstant
  ) async throws -> Int {
    try await channel.beginOperation()
    while true {
      channel.willRead()
      let count = recv(try channel.openDescriptor(), buffer.baseAddress, buffer.count, 0)
      if count >= 0 {
        // An end is found again and again.
        if count > 0, count < buffer.count { channel.didDrain() }
        return count
      }
      try await waitAfterFailure(errno, .reading, deadline: deadline)
    }
  }

  package nonisolated(nonsending) func waitUntilReadable(deadline: MonotonicInstant) async throws {
    try await channel.beginOperation()
    if channel.isDrained {
      return try await channel.wait(for: .reading, deadline: deadline)
    }
    while true {
      var byte: UInt8 = 0
      if recv(try channel.openDescriptor(), &byte, 1, Int32(MSG_PEEK)) >= 0 { return }
      let reason = errno
      try await waitAfterFailure(reason, .reading, deadline: deadline)
      // An edge came: the read that follows finds out what it was.
      if reason != EINTR { return }
    }
  }

  package nonisolated(nonsending) func write(
    _ bytes: UnsafeRawBufferPointer, deadline: MonotonicInstant
  ) async throws {
    try await channel.beginOperation()
    var rest = bytes
    while rest.count > 0 {
      let count = send(
        try channel.openDescriptor(), rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
      if count >= 0 {
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      } else {
        try await waitAfterFailure(errno, .writing, deadline: deadline)
      }
    }
  }

  package nonisolated(nonsending) func finishWriting(deadline: MonotonicInstant) async throws {
    try await channel.beginOperation()
    if shutdown(try channel.openDescriptor(), Int32(SHUT_WR)) != 0 {
      throw StreamError.disconnected(errno: errno)
    }
  }

  package func limitUnsent(toBytes bytes: Int) {
    guard !peer.isUnix, let descriptor = try? channel.openDescriptor() else { return }
    Self.set(descriptor, Int32(IPPROTO_TCP), TCP_NOTSENT_LOWAT, Int32(clamping: bytes))
  }

  package func close() { channel.close() }

  package func reset() {
    if !peer.isUnix, let descriptor = try? channel.openDescriptor() {
      var linger = linger(l_onoff: 1, l_linger: 0)
      setsockopt(
        descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
    }
    channel.close()
  }

  private nonisolated(nonsending) func waitAfterFailure(
    _ reason: Int32, _ direction: Channel.Direction, deadline: MonotonicInstant
  ) async throws {
    switch reason {
    case EINTR: return
    case EAGAIN: try await channel.wait(for: direction, deadline: deadline)
    default: throw StreamError.disconnected(errno: reason)
    }
  }
}
