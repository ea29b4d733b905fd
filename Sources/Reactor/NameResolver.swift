// Names to addresses, through the system's resolver: DNS, /etc/hosts, whatever nsswitch.conf(5) says.

private import Glibc

enum NameResolver {
  /// Looks `host` up, in the order in which RFC 6724 would try the addresses.
  ///
  /// Blocks.
  ///
  /// - Throws: `StreamError.unresolved`.
  static func resolve(host: String, port: UInt16) throws -> [SocketAddress] {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_ADDRCONFIG
    var list: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(host, nil, &hints, &list)
    guard status == 0 else {
      throw StreamError.unresolved(host: host, reason: String(cString: gai_strerror(status)))
    }
    defer { freeaddrinfo(list) }
    var addresses: [SocketAddress] = []
    var next = list
    while let entry = next {
      if let address = entry.pointee.ai_addr,
        let parsed = SocketAddress(address, length: entry.pointee.ai_addrlen)?.with(port: port)
      {
        addresses.append(parsed)
      }
      next = entry.pointee.ai_next
    }
    return addresses
  }
}
