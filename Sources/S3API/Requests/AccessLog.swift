// The access log: one line for each S3 request, once its response has been sent.
//
//   s3.access: GetObject client=192.0.2.7 request=8f0c... key=GK... method=GET path=/photos/a.jpg status=200
//              received=0 sent=81234 ms=4.120
//
// Invariants:
//   1. No secret: of the query, where the signatures of presigned URLs are, nothing is written.
//   2. Nobody's name stands there who did not prove it: `key` is written once the signature was found right.
//   3. A line is bounded, whatever a stranger asks for.

import Base
import HTTP

/// What becomes known of a request while it is handled.
struct AccessFacts {
  /// The access key, once its signature was found right.
  var accessKeyID: String?
  var operation: S3Operation?
  /// What the request is about.
  var place: ErrorPlace?
  /// The code of the error that was answered, or that ended the response.
  var errorCode: String?
}

/// Writes the access log.
struct AccessLog: Sendable {
  let logger: Logger
  let proxies: TrustedProxies

  /// A key of 1,024 bytes, each escaped, and a bucket's name fit.
  private static let pathBytesMax = 4 << 10

  /// Writes the line of an exchange that ends now.
  func write(_ exchange: HTTPExchange, _ facts: AccessFacts, _ runtime: any Runtime) {
    logger.info(
      facts.operation?.rawValue ?? "refused",
      fields(exchange, facts, runtime.now - exchange.started))
  }

  private func fields(
    _ exchange: HTTPExchange, _ facts: AccessFacts, _ elapsed: Duration
  ) -> [(String, String)] {
    let head = exchange.request
    var fields = [
      ("client", proxies.client(of: exchange.peer, head.headers)),
      ("request", exchange.requestID),
    ]
    if let key = facts.accessKeyID { fields.append(("key", key)) }
    fields += [
      ("method", head.method),
      ("path", String(decoding: head.path.utf8.prefix(Self.pathBytesMax), as: UTF8.self)),
      ("status", exchange.status.map { "\($0)" } ?? "none"),
      ("received", "\(exchange.body.receivedBytes)"),
      ("sent", "\(exchange.sentBodyBytes)"),
      ("ms", Self.milliseconds(elapsed)),
    ]
    if let code = facts.errorCode { fields.append(("error", code)) }
    if !exchange.isResponseWhole { fields.append(("broken", "true")) }
    return fields
  }

  /// With three digits behind the point.
  private static func milliseconds(_ elapsed: Duration) -> String {
    let (seconds, attoseconds) = elapsed.components
    let microseconds = seconds * 1_000_000 + attoseconds / 1_000_000_000_000
    let fraction = String(microseconds % 1000)
    return
      "\(microseconds / 1000).\(String(repeating: "0", count: 3 - fraction.utf8.count))\(fraction)"
  }
}
