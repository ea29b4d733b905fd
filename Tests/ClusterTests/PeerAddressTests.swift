// Addresses as text and as bytes.

import Cluster
import Testing

@Suite struct PeerAddressTests {
  @Test func readsWhatItWrites() throws {
    for (text, form) in [
      ("192.0.2.7:3901", PeerAddress.ipv4(0xC000_0207, port: 3901)),
      ("[2001:db8::7]:1", .ipv6(high: 0x2001_0db8_0000_0000, low: 7, port: 1)),
      ("[::ffff:192.0.2.7]:65535", .ipv6(high: 0, low: 0xffff_c000_0207, port: 65535)),
      ("home.example.org:3901", .name("home.example.org", port: 3901)),
      ("old_pc-2:80", .name("old_pc-2", port: 80)),
    ] {
      #expect(PeerAddress(text) == form)
      #expect(form.text == text)
    }
    #expect(PeerAddress("[2001:0DB8:0:0::7]:1")?.text == "[2001:db8::7]:1")
  }

  @Test(arguments: [
    "", ":", "host", "host:", ":1", "host:0", "host:65536", "host:-1", "host: 1", "host:1 ",
    "2001:db8::7:1", "[2001:db8::7]", "[host]:1", "[::1%lo]:1", "a b:1", "a..b:1", ".a:1", "a.:1",
    "1.2.3:1", "1.2.3.400:1", "a.1:1", "ä.org:1", "a\0b:1", "host:1\0",
  ])
  func refuses(text: String) { #expect(PeerAddress(text) == nil) }

  @Test func refusesNamesThatAreTooLong() {
    let label = String(repeating: "a", count: 63)
    #expect(PeerAddress("\(label):1") != nil)
    #expect(PeerAddress("a\(label):1") == nil)
    #expect(PeerAddress(String(repeating: "ab.", count: 84) + "ab:1") == nil)
  }
}
