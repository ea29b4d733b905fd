import Reactor
import Testing

@Suite("Socket address")
struct SocketAddressTests {
  @Test(
    "reads what it prints",
    arguments: [
      "127.0.0.1:3903", "0.0.0.0:0", "255.255.255.255:65535", "[::]:3900", "[::1]:1",
      "[2001:db8::1]:443", "[fe80::1%7]:3901", "[::ffff:192.0.2.1]:80", "/run/grange.sock",
    ])
  func roundTrip(text: String) throws {
    #expect(try #require(SocketAddress(parsing: text)).description == text)
  }

  @Test(
    "refuses everything else",
    arguments: [
      "", ":", "::", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1",
      "127.0.0.1:+1", "127.1:80", "[::1]", "[::1]80", "::1:80", "[127.0.0.1]:80", "[::g]:80",
      "localhost:80", "[fe80::1%no-such-interface]:1", "[fe80::1%+7]:1", "[::1", "unix:relative",
      "300.0.0.1:1",
      "127.0.0.1\u{0}:1", "[::1\u{0}]:1",
    ])
  func refused(text: String) {
    #expect(SocketAddress(parsing: text) == nil)
  }

  @Test("knows an IPv4 peer of a dual-stack socket")
  func unmapped() throws {
    let mapped = try #require(SocketAddress(parsing: "[::ffff:192.0.2.1]:80"))
    #expect(mapped.unmapped.description == "192.0.2.1:80")
    let other = try #require(SocketAddress(parsing: "[2001:db8::1]:80"))
    #expect(other.unmapped == other)
  }

  @Test("splits a host and its port")
  func hostAndPort() {
    #expect(HostAndPort(parsing: "node.example:3901") == .init(host: "node.example", port: 3901))
    #expect(HostAndPort(parsing: "[::1]:5") == .init(host: "::1", port: 5))
    #expect(HostAndPort(parsing: "node", defaultPort: 80) == .init(host: "node", port: 80))
    #expect(HostAndPort(parsing: "[::1]", defaultPort: 80) == .init(host: "::1", port: 80))
    for text in ["", ":80", "node", "node:", "node:0x10", "[]:1", "[node]:1", "node:99999"] {
      #expect(HostAndPort(parsing: text) == nil, "\(text)")
    }
  }
}
