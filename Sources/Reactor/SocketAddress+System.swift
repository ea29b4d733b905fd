// Socket addresses in the kernel's form.

import CLinux
import Glibc

extension SocketAddress {
  static func ipv6(_ address: in6_addr, scope: UInt32, port: UInt16) -> SocketAddress {
    let words = withUnsafeBytes(of: address) {
      ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }
    return .ipv6(
      high: UInt64(bigEndian: words.0), low: UInt64(bigEndian: words.1), scope: scope, port: port)
  }

  /// Reads what the kernel wrote; `nil` for a family other than IPv4, IPv6 and Unix.
  init?(_ address: UnsafePointer<sockaddr>, length: socklen_t) {
    let bytes = UnsafeRawBufferPointer(start: address, count: Int(length))
    guard bytes.count >= MemoryLayout<sa_family_t>.size else { return nil }
    switch Int32(bytes.loadUnaligned(as: sa_family_t.self)) {
    case AF_INET where bytes.count >= MemoryLayout<sockaddr_in>.size:
      let v4 = bytes.loadUnaligned(as: sockaddr_in.self)
      self = .ipv4(
        address: UInt32(bigEndian: v4.sin_addr.s_addr), port: UInt16(bigEndian: v4.sin_port))
    case AF_INET6 where bytes.count >= MemoryLayout<sockaddr_in6>.size:
      let v6 = bytes.loadUnaligned(as: sockaddr_in6.self)
      self = .ipv6(v6.sin6_addr, scope: v6.sin6_scope_id, port: UInt16(bigEndian: v6.sin6_port))
    case AF_UNIX:
      let path = bytes.dropFirst(MemoryLayout<sa_family_t>.size).prefix { $0 != 0 }
      self = .unix(path: String(decoding: path, as: UTF8.self))
    default: return nil
    }
  }

  /// The other end of a connected socket; `nil` when it is not connected.
  init?(peerOf descriptor: Int32) { self.init { getpeername(descriptor, $0, $1) } }

  /// What a socket is bound to.
  init?(localOf descriptor: Int32) { self.init { getsockname(descriptor, $0, $1) } }

  private init?(_ ask: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32) {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let parsed: SocketAddress? = withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        ask(address, &length) == 0 ? SocketAddress(address, length: length) : nil
      }
    }
    guard let parsed else { return nil }
    self = parsed
  }

  /// A new non-blocking socket of this address's family.
  ///
  /// - Throws: `StreamError.disconnected`.
  func openSocket() throws -> Int32 {
    let family =
      switch self {
      case .ipv4: AF_INET
      case .ipv6: AF_INET6
      case .unix: AF_UNIX
      }
    let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let descriptor = socket(family, type, 0)
    guard descriptor >= 0 else { throw StreamError.disconnected(errno: errno) }
    return descriptor
  }

  /// Calls `body` with the address as bind(2) and connect(2) take it.
  ///
  /// A Unix path longer than the kernel's 107 bytes is reached through its folder, held open meanwhile.
  func withSystemAddress(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    switch self {
    case .ipv4(let address, let port):
      var v4 = sockaddr_in()
      v4.sin_family = sa_family_t(AF_INET)
      v4.sin_port = port.bigEndian
      v4.sin_addr.s_addr = address.bigEndian
      return Self.withPointer(to: &v4, MemoryLayout<sockaddr_in>.size, body)
    case .ipv6(let high, let low, let scope, let port):
      var v6 = sockaddr_in6()
      v6.sin6_family = sa_family_t(AF_INET6)
      v6.sin6_port = port.bigEndian
      v6.sin6_scope_id = scope
      withUnsafeMutableBytes(of: &v6.sin6_addr) {
        $0.storeBytes(of: high.bigEndian, as: UInt64.self)
        $0.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
      }
      return Self.withPointer(to: &v6, MemoryLayout<sockaddr_in6>.size, body)
    case .unix(let path):
      return Self.withUnixAddress(path, body)
    }
  }

  private static func withPointer<Address>(
    to address: inout Address, _ size: Int,
    _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) -> Int32 {
    withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(size)) }
    }
  }

  private static func withUnixAddress(
    _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    // The last byte stays zero.
    let room = MemoryLayout.size(ofValue: address.sun_path) - 1
    var bytes = Array(path.utf8)
    var folder: Int32 = -1
    defer { if folder >= 0 { Glibc.close(folder) } }
    if bytes.count > room {
      let split = bytes.lastIndex(of: UInt8(ascii: "/")) ?? 0
      let parent = split == 0 ? "/" : String(decoding: bytes[..<split], as: UTF8.self)
      folder = Glibc.open(parent, O_DIRECTORY | O_RDONLY | O_CLOEXEC)
      if folder < 0 { return -1 }
      bytes = Array("/proc/self/fd/\(folder)".utf8) + bytes[split...]
    }
    guard bytes.count <= room, !bytes.contains(0) else {
      errno = ENAMETOOLONG
      return -1
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    return withPointer(to: &address, MemoryLayout<sockaddr_un>.size, body)
  }
}
