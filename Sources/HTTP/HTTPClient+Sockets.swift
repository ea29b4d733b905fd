// How the client reaches endpoints outside of tests: TCP, TLS over it, and Unix sockets.

import Base
package import Reactor

extension HTTPClient {
  /// A client that opens sockets on the loop of whoever sends a request, with the settings of `tls` where an
  /// endpoint asks for it.
  package convenience init(
    options: Options = Options(), group: EventLoopGroup, tls: TLSContext? = nil
  ) {
    self.init(options: options, runtime: group) { endpoint, deadline in
      switch endpoint {
      case .tcp(let host, let port):
        return try await SocketStream.connect(host: host, port: port, deadline: deadline)
      case .unix(let path):
        return try await SocketStream.connect(to: .unix(path: path), deadline: deadline)
      case .tls(let host, let port):
        guard let tls else { throw StreamError.tls(reason: "this client has no TLS settings") }
        let socket = try await SocketStream.connect(host: host, port: port, deadline: deadline)
        return try await TLSStream.connect(
          socket, context: tls, serverName: host, deadline: deadline)
      }
    }
  }
}
