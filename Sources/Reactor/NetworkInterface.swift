// The addresses of this machine's network interfaces.

private import Base
private import CLinux
private import Glibc

/// One address of an interface.
package struct NetworkInterface: Equatable, Sendable {
  /// Such as `eth0`.
  package var name: String
  /// The address; its port means nothing.
  package var address: SocketAddress
  package var isLoopback: Bool
  /// Whether it is a tunnel or another link to one other machine.
  package var isTunnel: Bool
  /// Whether the address is one of those that change by themselves for privacy (RFC 8981).
  package var isTemporary: Bool

  package init(
    name: String, address: SocketAddress, isLoopback: Bool = false, isTunnel: Bool = false,
    isTemporary: Bool = false
  ) {
    self.name = name
    self.address = address
    self.isLoopback = isLoopback
    self.isTunnel = isTunnel
    self.isTemporary = isTemporary
  }

  /// Those of this machine that are up, in the kernel's order.
  package static func all() -> [NetworkInterface] {
    var list: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&list) == 0 else { return [] }
    defer { freeifaddrs(list) }
    let temporary = temporaryAddresses()
    var found: [NetworkInterface] = []
    var next = list
    while let entry = next?.pointee {
      next = entry.ifa_next
      let flags = Int32(bitPattern: entry.ifa_flags)
      guard flags & Int32(IFF_UP) != 0, let system = entry.ifa_addr else { continue }
      let length: Int
      switch Int32(system.pointee.sa_family) {
      case AF_INET: length = MemoryLayout<sockaddr_in>.size
      case AF_INET6: length = MemoryLayout<sockaddr_in6>.size
      default: continue
      }
      guard let address = SocketAddress(system, length: socklen_t(length)) else { continue }
      found.append(
        NetworkInterface(
          name: String(cString: entry.ifa_name), address: address,
          isLoopback: flags & Int32(IFF_LOOPBACK) != 0,
          isTunnel: flags & Int32(IFF_POINTOPOINT) != 0,
          isTemporary: temporary.contains(address.with(port: 0))))
    }
    return found
  }

  /// The temporary ones, from the table of all IPv6 addresses: address, index, prefix, scope, flags, name.
  private static func temporaryAddresses() -> [SocketAddress] {
    guard let file = fopen("/proc/net/if_inet6", "re") else { return [] }
    defer { fclose(file) }
    var found: [SocketAddress] = []
    var line = [CChar](repeating: 0, count: 128)
    while fgets(&line, Int32(line.count), file) != nil {
      let text = String(
        decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      let fields = text.split(separator: " ")
      // IFA_F_TEMPORARY of linux/if_addr.h.
      guard fields.count >= 6, let flags = UInt32(fields[4], radix: 16), flags & 1 == 1,
        let bytes = Hex.decode(fields[0]), bytes.count == 16
      else { continue }
      let words = bytes.withUnsafeBytes {
        ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
      }
      found.append(
        .ipv6(high: UInt64(bigEndian: words.0), low: UInt64(bigEndian: words.1), scope: 0, port: 0))
    }
    return found
  }
}
