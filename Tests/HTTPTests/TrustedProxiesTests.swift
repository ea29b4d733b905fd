import HTTP
import Reactor
import Testing

@Suite struct TrustedProxiesTests {
  private let proxies = TrustedProxies(
    ["127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48"].compactMap(IPNetwork.init))

  @Test(
    arguments: [
      ("192.0.2.1:5", [], "192.0.2.1"),
      // Anybody can send the field.
      ("192.0.2.1:5", ["198.51.100.7"], "192.0.2.1"),
      ("127.0.0.1:5", [], "127.0.0.1"),
      ("127.0.0.1:5", ["198.51.100.7"], "198.51.100.7"),
      ("[2001:db8:1::9]:5", ["2001:db8:2::1"], "2001:db8:2::1"),
      ("[2001:db8:2::9]:5", ["198.51.100.7"], "2001:db8:2::9"),
      // What the client wrote in front of what the proxy added.
      ("127.0.0.1:5", ["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
      ("127.0.0.1:5", ["203.0.113.9", "198.51.100.7 "], "198.51.100.7"),
      ("127.0.0.1:5", ["203.0.113.9, 198.51.100.7 ,10.1.2.3,\t10.255.255.255"], "198.51.100.7"),
      ("127.0.0.1:5", ["10.0.0.1, 10.0.0.2"], "10.0.0.1"),
      ("127.0.0.1:5", ["198.51.100.7, unknown"], "127.0.0.1"),
      ("127.0.0.1:5", ["198.51.100.7, unknown, 10.0.0.1"], "10.0.0.1"),
      ("127.0.0.1:5", ["/etc/passwd"], "127.0.0.1"),
      ("127.0.0.1:5", [" , ,"], "127.0.0.1"),
      ("127.0.0.1:5", ["198.51.100.7:8080"], "198.51.100.7"),
      ("127.0.0.1:5", ["[2001:db8::7]:8080"], "2001:db8::7"),
      ("127.0.0.1:5", ["[2001:db8::7]"], "2001:db8::7"),
      ("127.0.0.1:5", ["198.51.100.7, ::ffff:10.0.0.1"], "198.51.100.7"),
      ("[::ffff:127.0.0.1]:5", ["::ffff:198.51.100.7"], "198.51.100.7"),
      ("unix", ["198.51.100.7"], "unix"),
    ] as [(String, [String], String)])
  func theClientIsTheLastThatIsNotTrusted(peer: String, fields: [String], client: String) {
    var headers = HTTPHeaders()
    for field in fields { headers.append("X-Forwarded-For", field) }
    #expect(proxies.client(of: peer, headers) == client)
    #expect(TrustedProxies().client(of: peer, headers) != "198.51.100.7")
  }
}
