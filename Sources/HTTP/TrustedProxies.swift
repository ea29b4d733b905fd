// Who sent a request that proxies passed on.
//
//   X-Forwarded-For: <client>, <proxy>, <proxy>
//
// Each proxy adds the address that it was connected from at the end, and anybody can send the field with anything
// in it. So it is read from its end, and only as far as proxies that are trusted vouch for it: the client is
// the first address from the end that is not a trusted proxy's.

private import Base
package import Reactor

/// The proxies whose `X-Forwarded-For` is believed.
package struct TrustedProxies: Sendable {
  private let networks: [IPNetwork]

  /// Trusts the addresses of `networks`; nobody when there are none.
  package init(_ networks: [IPNetwork] = []) { self.networks = networks }

  /// The client's address without its port, for logs.
  ///
  /// - Parameters:
  ///   - peer: who the connection is from, as `HTTPExchange.peer` has it.
  ///   - headers: those of the request.
  package func client(of peer: String, _ headers: HTTPHeaders) -> String {
    guard var client = SocketAddress(parsing: peer)?.unmapped, !client.isUnix else { return peer }
    guard trusts(client) else { return client.host }

    var passed = headers.all("x-forwarded-for").joined(separator: ",").split(separator: ",")
    while trusts(client), let last = passed.popLast() {
      // What is no address, such as `unknown`, was not seen by the proxy that we trust.
      guard let address = Self.address(last) else { break }
      client = address
    }
    return client.host
  }

  private func trusts(_ address: SocketAddress) -> Bool {
    networks.contains { $0.contains(address) }
  }

  /// An address with or without a port, and with or without brackets.
  private static func address(_ element: Substring) -> SocketAddress? {
    var element = element
    let text = element.withUTF8 { UnsafeRawBufferPointer($0).trimming(isWhiteSpace).text }
    if let address = SocketAddress(ip: text, port: 0) { return address.unmapped }
    if let address = SocketAddress(parsing: text), !address.isUnix { return address.unmapped }
    guard text.hasPrefix("["), text.hasSuffix("]") else { return nil }
    return SocketAddress(ip: String(text.dropFirst().dropLast()), port: 0)?.unmapped
  }
}
