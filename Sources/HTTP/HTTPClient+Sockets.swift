// How the client reaches endpoints outside of tests: TCP and Unix sockets.

import Base
package import Reactor

extension HTTPClient {
  /// A client that opens sockets on the loop of whoever sends a request.
  package convenience init(options: Options = Options(), group: EventLoopGroup) {
    self.init(options: options, runtime: group) { endpoint, deadline in
      switch endpoint {
      case .tcp(let host, let port):
        return try await SocketStream.connect(host: host, port: port, deadline: deadline)
      case .unix(let path):
        return try await SocketStream.connect(to: .unix(path: path), deadline: deadline)
      case .tls:
        throw StreamError.tls(reason: "this client has no TLS settings")
      }
    }
  }
}
