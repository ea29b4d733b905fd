import Reactor
import Testing

@Suite struct IPNetworkTests {
  @Test(
    arguments: [
      (
        "10.0.0.0/8", ["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"],
        ["9.255.255.255", "11.0.0.0"]
      ),
      ("10.9.9.9/8", ["10.0.0.1"], ["11.9.9.9"]),
      ("192.0.2.1", ["192.0.2.1"], ["192.0.2.0", "192.0.2.2", "::c000:201"]),
      ("192.0.2.128/25", ["192.0.2.255"], ["192.0.2.127"]),
      ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::1"]),
      ("2001:db8::/32", ["2001:db8:ffff::1"], ["2001:db9::", "32.1.13.184"]),
      ("2001:db8::1/128", ["2001:db8::1"], ["2001:db8::2"]),
      ("fe80::/65", ["fe80::7fff:0:0:1"], ["fe80::8000:0:0:1"]),
      ("::/0", ["::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"], ["10.0.0.1"]),
    ] as [(String, [String], [String])])
  func holdsTheAddressesWithItsPrefix(text: String, inside: [String], outside: [String]) throws {
    let network = try #require(IPNetwork(text))
    for address in inside {
      #expect(network.contains(try #require(SocketAddress(ip: address, port: 1))), "\(address)")
    }
    for address in outside {
      #expect(!network.contains(try #require(SocketAddress(ip: address, port: 1))), "\(address)")
    }
    #expect(!network.contains(.unix(path: "/a")))
  }

  @Test(arguments: [
    "", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8/8", "10.0.0/8",
    "::/129", "localhost", "10.0.0.0/99999999999999999999",
  ])
  func refusesAnythingElse(text: String) { #expect(IPNetwork(text) == nil) }
}
