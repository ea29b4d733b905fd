// Which addresses of nodes are offered and believed.
//
// Nobody can be reached at an unspecified, loopback, link-local or multicast address, or at port 0; somebody else can.
// They are left out when a node tells its addresses and again when it hears of others', as gossip may say anything.
// Loopback addresses count for a node that is told (`rpc.public_addresses`) to be reached at one itself: several nodes on
// one machine, as in tests.

package import Reactor

/// Rules for addresses.
package enum AddressRules {
  /// Whether `address` may be one at which a node is reached.
  ///
  /// - Parameter loopback: Whether loopback addresses count.
  package static func isPlausible(_ address: SocketAddress, loopback: Bool = false) -> Bool {
    // ::ffff:127.0.0.1 leads where 127.0.0.1 does.
    let address = address.unmapped
    guard let port = address.port, port != 0, !address.isAny else { return false }
    if address.isLoopback { return loopback }
    switch address {
    case .ipv4(let address, _):
      // 0.0.0.0/8, 169.254.0.0/16, 224.0.0.0/3: "this network", link-local, multicast and reserved (RFC 6890).
      return address >> 24 != 0 && address >> 16 != 0xA9FE && address >> 29 != 7
    case .ipv6(let high, _, _, _):
      // fe80::/10 and ff00::/8 (RFC 4291, section 2.4).
      return high >> 54 != 0xFE80 >> 6 && high >> 56 != 0xFF
    case .unix: return false
    }
  }

  /// Whether `address` is a private one, of some network behind a router: 10/8, 172.16/12, 192.168/16 (RFC 1918),
  /// 100.64/10 (RFC 6598), fc00::/7 (RFC 4193).
  package static func isPrivate(_ address: SocketAddress) -> Bool {
    switch address.unmapped {
    case .ipv4(let address, _):
      address >> 24 == 10 || address >> 20 == 0xAC1 || address >> 16 == 0xC0A8
        || address >> 22 == 0x6440 >> 6
    case .ipv6(let high, _, _, _): high >> 57 == 0xFC >> 1
    case .unix: false
    }
  }

  /// Whether an interface has addresses at which other machines may reach this one: not loopback, a tunnel, or a bridge to
  /// containers and virtual machines.
  package static func isOfThisMachine(_ interface: NetworkInterface) -> Bool {
    guard !interface.isLoopback, !interface.isTunnel else { return false }
    return !inner.contains { interface.name.hasPrefix($0) }
  }

  /// How names of such bridges and tunnels begin.
  private static let inner = [
    "docker", "br-", "veth", "virbr", "vnet", "cni", "podman", "lxc", "lxd", "flannel", "cali",
    "tun", "tap", "wg", "tailscale", "zt", "ppp", "incus",
  ]
}
