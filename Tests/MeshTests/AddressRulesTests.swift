// Which addresses are believed when a member says them of itself.

import Mesh
import Reactor
import Testing

@Suite("address rules")
struct AddressRulesTests {
  @Test(
    "nobody is at an address of this machine alone, of one wire, of many, or of none",
    arguments: [
      "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::", "::ffff:0.0.0.0",
      "0.1.2.3",
      "169.254.1.1", "::ffff:169.254.1.1", "fe80::1", "224.0.0.1", "255.255.255.255", "ff02::1",
      "::ffff:224.0.0.1",
    ])
  func refused(_ host: String) throws {
    let address = try #require(SocketAddress(ip: host, port: 3901))
    #expect(!AddressRules.isPlausible(address))
  }

  @Test(
    "homes and the internet are believed, at any port but 0",
    arguments: ["10.0.0.1", "192.168.1.10", "100.64.0.1", "203.0.113.7", "fd00::1", "2001:db8::1"])
  func believed(_ host: String) throws {
    #expect(AddressRules.isPlausible(try #require(SocketAddress(ip: host, port: 3901))))
    #expect(!AddressRules.isPlausible(try #require(SocketAddress(ip: host, port: 0))))
  }

  @Test("loopback counts for a node that is reached there itself, in either form")
  func loopback() throws {
    for host in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
      let address = try #require(SocketAddress(ip: host, port: 3901))
      #expect(AddressRules.isPlausible(address, loopback: true))
    }
    let any = try #require(SocketAddress(ip: "::ffff:0.0.0.0", port: 3901))
    #expect(!AddressRules.isPlausible(any, loopback: true))
  }
}
