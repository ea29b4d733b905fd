// Addresses of sockets, as configuration files and logs write them.
//
//   127.0.0.1:3903        IPv4
//   [::]:3900             IPv6; a scope may follow the address: [fe80::1%eth0]:3901
//   /run/grange.sock      a Unix socket, by its path; also unix:/run/grange.sock

private import Base
private import CLinux
private import Glibc

/// Where a socket listens or connects to.
package enum SocketAddress: Hashable, Sendable, CustomStringConvertible {
  /// The address as a number, first byte highest.
  case ipv4(address: UInt32, port: UInt16)
  /// The address as two numbers, first byte highest; `scope` is an interface's index, 0 for none.
  case ipv6(high: UInt64, low: UInt64, scope: UInt32, port: UInt16)
  /// A path in the file system; empty for a socket without one.
  case unix(path: String)

  /// Reads an address with its port, or a Unix path; `nil` for anything else, host names among it.
  package init?(parsing text: String) {
    if text.hasPrefix("/") {
      self = .unix(path: text)
      return
    }
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst(5))
      guard path.hasPrefix("/") else { return nil }
      self = .unix(path: path)
      return
    }
    guard let pair = HostAndPort(parsing: text) else { return nil }
    // An IPv6 address without brackets runs into its port.
    guard pair.host.contains(":") == text.hasPrefix("[") else { return nil }
    self.init(ip: pair.host, port: pair.port)
  }

  /// Reads an IPv4 or IPv6 address without a port; `nil` for anything else.
  package init?(ip text: String, port: UInt16) {
    // C would read no further than a NUL.
    guard !text.utf8.contains(0) else { return nil }
    var v4 = in_addr()
    if inet_pton(AF_INET, text, &v4) == 1 {
      self = .ipv4(address: UInt32(bigEndian: v4.s_addr), port: port)
      return
    }
    var address = Substring(text)
    var scope: UInt32 = 0
    if let percent = text.firstIndex(of: "%") {
      address = text[..<percent]
      let name = String(text[text.index(after: percent)...])
      scope = UInt32(digits: name.utf8) ?? if_nametoindex(name)
      if scope == 0 { return nil }
    }
    var v6 = in6_addr()
    guard inet_pton(AF_INET6, String(address), &v6) == 1 else { return nil }
    self = Self.ipv6(v6, scope: scope, port: port)
  }

  /// The port; `nil` for a Unix socket.
  package var port: UInt16? {
    switch self {
    case .ipv4(_, let port), .ipv6(_, _, _, let port): port
    case .unix: nil
    }
  }

  /// Whether this is a Unix socket.
  package var isUnix: Bool {
    if case .unix = self { true } else { false }
  }

  /// Whether this is an IPv6 address.
  package var isIPv6: Bool {
    if case .ipv6 = self { true } else { false }
  }

  /// Whether this is `0.0.0.0` or `::`: every address of the machine.
  package var isAny: Bool {
    switch self {
    case .ipv4(let address, _): address == 0
    case .ipv6(let high, let low, _, _): high == 0 && low == 0
    case .unix: false
    }
  }

  /// Whether nobody but this machine can reach it.
  package var isLoopback: Bool {
    switch self {
    case .ipv4(let address, _): address >> 24 == 127
    case .ipv6(let high, let low, _, _): high == 0 && low == 1
    case .unix: true
    }
  }

  /// The same host with another port.
  package func with(port: UInt16) -> SocketAddress {
    switch self {
    case .ipv4(let address, _): .ipv4(address: address, port: port)
    case .ipv6(let high, let low, let scope, _):
      .ipv6(high: high, low: low, scope: scope, port: port)
    case .unix: self
    }
  }

  /// An IPv4 peer of an IPv6 socket (`::ffff:192.0.2.1`) as IPv4; anything else as it is.
  package var unmapped: SocketAddress {
    guard case .ipv6(0, let low, _, let port) = self, low >> 32 == 0xFFFF else { return self }
    return .ipv4(address: UInt32(truncatingIfNeeded: low), port: port)
  }

  /// The host alone, without brackets; the path of a Unix socket.
  package var host: String {
    switch self {
    case .ipv4(let address, _):
      return "\(address >> 24).\(address >> 16 & 255).\(address >> 8 & 255).\(address & 255)"
    case .ipv6(let high, let low, let scope, _):
      var address = in6_addr()
      withUnsafeMutableBytes(of: &address) {
        $0.storeBytes(of: high.bigEndian, as: UInt64.self)
        $0.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
      }
      var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
      guard inet_ntop(AF_INET6, &address, &text, socklen_t(text.count)) != nil else { return "::" }
      let digits = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
      return String(decoding: digits, as: UTF8.self) + (scope == 0 ? "" : "%\(scope)")
    case .unix(let path): return path
    }
  }

  /// The form that `init(parsing:)` reads.
  package var description: String {
    switch self {
    case .ipv4(_, let port): "\(host):\(port)"
    case .ipv6(_, _, _, let port): "[\(host)]:\(port)"
    case .unix(let path): path
    }
  }

  /// The form for logs: IPv4 as such, and no path, which a client's socket seldom has.
  var peerDescription: String { isUnix ? "unix" : unmapped.description }
}

/// A host name or address, and a port, as in `node.example.org:3901` and `[2001:db8::1]:3901`.
package struct HostAndPort: Hashable, Sendable {
  /// A name, an IPv4 address, or an IPv6 address without its brackets.
  package var host: String
  package var port: UInt16

  package init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// Reads `host:port`; without a port, `defaultPort`.
  ///
  /// `nil` when there is no host or no valid port.
  package init?(parsing text: String, defaultPort: UInt16? = nil) {
    let host: Substring
    let rest: Substring
    if text.hasPrefix("[") {
      guard let end = text.firstIndex(of: "]") else { return nil }
      host = text[text.index(after: text.startIndex)..<end]
      rest = text[text.index(after: end)...]
      guard host.contains(":") else { return nil }
    } else {
      let end = text.lastIndex(of: ":") ?? text.endIndex
      host = text[..<end]
      rest = text[end...]
    }
    guard !host.isEmpty else { return nil }
    self.host = String(host)
    if rest.isEmpty {
      guard let defaultPort else { return nil }
      port = defaultPort
      return
    }
    guard rest.hasPrefix(":"), let number = UInt16(digits: rest.utf8.dropFirst()) else {
      return nil
    }
    port = number
  }
}
