// The admin interface over HTTP.
//
// It is served twice: on a Unix socket that only the node's own user can open, where no token is asked for,
// and on a TCP port, where `/health` is open, `/metrics` takes the metrics token if there is one, and everything
// else takes the admin token. Without an admin token the port answers nothing else.

package import Base
private import Codecs
private import Crypto
package import HTTP

/// Answers the requests of one of the two listeners.
package struct AdminHandler: HTTPHandler {
  /// Who may ask what.
  package enum Access: Sendable {
    /// Whoever reached the listener may do anything.
    case open
    /// Tokens decide.
    case tokens(admin: String?, metrics: String?)
  }

  private let endpoints: AdminEndpoints
  private let access: Access
  private let metrics: MetricsRegistry
  private let logger: Logger

  /// A request's body: far above any document of the interface.
  private static let bodyBytesMax = 1 << 20

  package init(
    endpoints: AdminEndpoints, access: Access, metrics: MetricsRegistry, logger: Logger
  ) {
    self.endpoints = endpoints
    self.access = access
    self.metrics = metrics
    self.logger = logger
  }

  package nonisolated(nonsending) func handle(_ exchange: HTTPExchange) async {
    do {
      try await answer(exchange)
    } catch let error as AdminError {
      try? await exchange.respond(
        error.status, headers: Self.jsonHeaders, body: error.json.bytes(pretty: true) + [0x0A])
    } catch {
      logger.debug("a request of \(exchange.peer) ended early", [("error", "\(error)")])
    }
  }

  private static let jsonHeaders: HTTPHeaders = [
    "Content-Type": "application/json", "Cache-Control": "no-store",
  ]

  private nonisolated(nonsending) func answer(_ exchange: HTTPExchange) async throws {
    let (method, path) = (exchange.request.method, exchange.request.path)
    let isReading = method == "GET" || method == "HEAD"
    switch path {
    case "/health" where isReading: try await answerHealth(exchange)
    case "/metrics" where isReading:
      try allow(exchange, orMetrics: true)
      // The numbers about room are those of the last time that the disks were asked, which is to be now.
      _ = await endpoints.node.status()
      try await exchange.respond(
        200, headers: ["Content-Type": "text/plain; version=0.0.4; charset=utf-8"],
        body: Array(metrics.render().utf8))
    default:
      guard path.hasPrefix("/v2/") else {
        throw AdminError(404, "NoSuchPath", "there is nothing at this path")
      }
      try allow(exchange, orMetrics: false)
      try await answerOperation(exchange, name: String(path.dropFirst(4)))
    }
  }

  private nonisolated(nonsending) func answerHealth(_ exchange: HTTPExchange) async throws {
    let health = await endpoints.node.status().health
    try await exchange.respond(
      health == .unavailable ? 503 : 200,
      headers: ["Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"],
      body: Array("\(health.rawValue)\n".utf8))
  }

  private nonisolated(nonsending) func answerOperation(
    _ exchange: HTTPExchange, name: String
  ) async throws {
    let body: [UInt8]
    do {
      body = try await exchange.body.collect(maxBytes: Self.bodyBytesMax)
    } catch HTTPError.bodyTooLarge {
      throw AdminError.invalid(
        "the body is larger than \(ByteSize.describe(UInt64(Self.bodyBytesMax)))")
    } catch HTTPError.malformed(let rejection) {
      throw AdminError.invalid("the body is malformed: \(rejection.reason)")
    }
    guard let query = FormCoding.parse((exchange.request.query ?? "").utf8) else {
      throw AdminError.invalid("the query has a broken escape")
    }
    var request = AdminRequest(name: name, query: query)
    if !body.isEmpty {
      do throws(JSONError) {
        request.body = try JSON.parse(body)
      } catch {
        throw AdminError.invalid("the body is not JSON: \(error)")
      }
    }
    let method = exchange.request.method
    let answer = try await endpoints.perform(method: method, request)
    if method == "POST" { logger.info("\(name) was done", [("peer", exchange.peer)]) }
    try await exchange.respond(
      200, headers: Self.jsonHeaders, body: answer.isNull ? [] : answer.bytes() + [0x0A])
  }

  private func allow(_ exchange: HTTPExchange, orMetrics isMetrics: Bool) throws(AdminError) {
    guard case .tokens(let admin, let metrics) = access else { return }
    if isMetrics, metrics == nil { return }
    let scheme = "Bearer "
    guard let header = exchange.request.headers["authorization"], header.hasPrefix(scheme) else {
      throw .forbidden
    }
    let token = String(header.dropFirst(scheme.count))
    if let admin, constantTimeEquals(token, admin) { return }
    if isMetrics, let metrics, constantTimeEquals(token, metrics) { return }
    throw .forbidden
  }
}
