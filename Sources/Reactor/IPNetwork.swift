// Networks of IP addresses, as configuration files write them: `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.1`.

private import Base

/// The addresses that begin with the same bits.
package struct IPNetwork: Equatable, Sendable {
  /// An IPv4 address is in the lowest bits.
  private let address: UInt128
  /// The bits that count.
  private let mask: UInt128
  private let isIPv6: Bool

  /// Reads an address, or an address and the length of a prefix; `nil` for anything else.
  package init?(_ text: String) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let first = parts.first, let address = SocketAddress(ip: String(first), port: 0),
      let (bits, isIPv6) = Self.bits(address)
    else { return nil }
    let width = isIPv6 ? 128 : 32
    var length = width
    if parts.count == 2 {
      guard let number = Int(digits: parts[1].utf8), number <= width else { return nil }
      length = number
    }
    // A shift by all 128 bits gives 0, which is the mask of `::/0`.
    mask = (UInt128.max >> (128 - width)) & (UInt128.max << (width - length))
    self.address = bits & mask
    self.isIPv6 = isIPv6
  }

  /// Whether `address` is one of them; an IPv4 address in IPv6 clothes (`::ffff:192.0.2.1`) counts as IPv4.
  package func contains(_ address: SocketAddress) -> Bool {
    guard let (bits, isIPv6) = Self.bits(address) else { return false }
    return isIPv6 == self.isIPv6 && bits & mask == self.address
  }

  private static func bits(_ address: SocketAddress) -> (UInt128, isIPv6: Bool)? {
    switch address.unmapped {
    case .ipv4(let address, _): (UInt128(address), false)
    case .ipv6(let high, let low, _, _): (UInt128(high) << 64 | UInt128(low), true)
    case .unix: nil
    }
  }
}
