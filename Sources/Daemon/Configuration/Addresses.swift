// What the configuration asks of addresses beyond reading them.

import Reactor

extension SocketAddress {
  /// All addresses of the machine, IPv6 and IPv4.
  static func any(port: UInt16) -> SocketAddress { .ipv6(high: 0, low: 0, scope: 0, port: port) }
}

extension HostAndPort {
  /// Reads a host that may be a name, and a port that is not 0.
  init?(name text: String) {
    self.init(parsing: text)
    guard port != 0 else { return nil }
    let isName = host.utf8.allSatisfy { byte in
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
    }
    guard isName || SocketAddress(ip: host, port: port) != nil else { return nil }
  }
}
