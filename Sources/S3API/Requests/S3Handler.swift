// The S3 interface: from an HTTP exchange to an operation on the store, and back.
//
// Every request passes the same steps: the path and query are decoded, the address names bucket and key,
// the signature says who asks, the router names the operation, and the operation's own file does it. What
// any step throws becomes an error document.
//
// Invariants:
//   1. Nothing is read from the store before the signature was found right, but the access key, or for a request
//      without a signature the name of its bucket; and of the body only what UnstatedBodies.swift allows.
//   2. Whatever is asked for and is not implemented is answered 501; it is never done halfway.

import APICommon
package import Base
package import HTTP
package import Model

/// Answers S3 requests.
package struct S3Handler: HTTPHandler {
  /// What a node's configuration says about S3.
  package struct Options: Sendable {
    /// The region that clients must sign for.
    package var region: String
    /// The host name below which bucket names are host names, such as `.s3.example.org`; empty for none.
    package var rootDomain: String
    /// Who is believed about the address of a client.
    package var trustedProxies = TrustedProxies()
    /// Whether each request gets a line in the log.
    ///
    /// Not unless asked for: a line is a write(2) on the event loop, which stands still while what reads the log does
    /// not keep up.
    package var logsAccess = false
    /// Why nothing is served now, for the message of the answer; `nil` while the node stores objects.
    package var refusal: @Sendable () -> String? = { nil }

    package init(region: String = "grange", rootDomain: String = "") {
      self.region = region
      self.rootDomain = rootDomain
    }
  }

  /// The header of a response that names the request: to be set as the HTTP server's `requestIDHeader`.
  package static let requestIDHeader = "x-amz-request-id"

  private let options: Options
  private let rootDomain: RootDomain
  private let store: Store
  private let authenticator: Authenticator
  private let unstatedBodies = UnstatedBodies()
  private let documents = DocumentParser()
  private let counters: S3Counters
  private let accessLog: AccessLog
  private let logger: Logger
  private let runtime: any Runtime

  package init(
    options: Options, store: Store, runtime: any Runtime, metrics: MetricsRegistry, logger: Logger
  ) {
    self.options = options
    self.store = store
    self.logger = logger
    self.runtime = runtime
    accessLog = AccessLog(
      logger: options.logsAccess ? logger.labelled("s3.access") : .disabled,
      proxies: options.trustedProxies)
    rootDomain = RootDomain(options.rootDomain)
    counters = S3Counters(metrics)
    authenticator = Authenticator(
      region: options.region, accessKeys: store.accessKeys, runtime: runtime)
  }

  package nonisolated(nonsending) func handle(_ exchange: HTTPExchange) async {
    var facts = AccessFacts()
    do {
      try await answer(exchange, &facts)
    } catch {
      var answer = S3Error(answering: error)
      facts.place?.note(in: &answer)
      facts.errorCode = answer.code.rawValue
      await refuse(exchange, error, answer)
    }
    accessLog.write(exchange, facts, runtime)
  }

  private func answer(_ exchange: HTTPExchange, _ facts: inout AccessFacts) async throws {
    if let reason = options.refusal() { throw S3Error(.serviceUnavailable, reason) }
    let head = exchange.request
    let target = try RequestTarget(head)
    let address = try RequestAddress(target, host: head.host, rootDomain: rootDomain)
    facts.place = ErrorPlace(address, target)
    var collected: [UInt8]?
    var reservedBytes = 0
    defer { unstatedBodies.release(reservedBytes) }
    let caller = try await authenticator.authenticate(head, target) {
      reservedBytes = try unstatedBodies.reserve(exchange.body.contentLength)
      let bytes = try await unstatedBodies.collect(exchange.body)
      collected = bytes
      return bytes
    }
    guard let caller else {
      throw try await refusal(ofAnonymous: address)
    }
    facts.accessKeyID = caller.accessKey.id
    var operation = try Router.route(head.method, address, target)
    let headers = try HoistedHeaders.merge(target, into: head.headers)
    if headers.contains(CopySource.header) { operation = operation.ofCopy }
    facts.operation = operation
    counters.count(operation)
    try Router.refuseWhatIsNotImplemented(operation, headers)
    try KnownValues.check(operation, headers)
    let request = S3Request(
      exchange: exchange, headers: headers, target: target, address: address, caller: caller,
      store: store, runtime: runtime,
      region: options.region, collectedBody: collected, documents: documents)
    do {
      try await operation.perform(request)
    } catch ModelError.noSuchBucket where !exchange.hasResponded {
      try await again(operation, request, exchange)
    }
  }

  /// After a bucket turned out to be gone whose name this node knew: another one may have the name by now.
  ///
  /// What reads is done again with that one; who sent a body has to come again.
  ///
  /// - Throws: `noSuchBucket` when nobody has the name.
  private func again(
    _ operation: S3Operation, _ request: S3Request, _ exchange: HTTPExchange
  ) async throws {
    guard
      try await store.buckets.resolve(request.bucketName, for: request.caller.accessKey.id) != nil
    else { throw ModelError.noSuchBucket }
    guard ["GET", "HEAD"].contains(exchange.request.method) else { throw ModelError.bucketBusy }
    try await operation.perform(request)
  }

  /// Why a stranger is refused: as in S3, who asks for a bucket that does not exist learns that.
  private func refusal(ofAnonymous address: RequestAddress) async throws -> S3Error {
    if let name = address.bucket, try await !store.buckets.hasGlobalAlias(name) {
      return S3Error(.noSuchBucket, details: [S3Error.Detail("BucketName", name)])
    }
    return S3Error(.accessDenied, "Anonymous requests are refused; sign the request.")
  }

  private func refuse(_ exchange: HTTPExchange, _ error: any Error, _ answer: S3Error) async {
    // Made only for a line that is written: the error holds what a stranger sent.
    func facts() -> [(String, String)] {
      [
        ("request", exchange.requestID), ("method", exchange.request.method),
        ("path", exchange.request.path), ("error", String(describing: error)),
      ]
    }
    if answer.code == .internalError {
      logger.error("a request failed unexpectedly", facts())
    } else {
      logger.debug("a request was refused", facts())
    }
    // A response that has begun cannot be taken back: the connection ends in the middle of it, which tells
    // the client.
    guard !exchange.hasResponded else { return }
    var headers = answer.headers
    var body: [UInt8] = []
    // Not modified is no error to whoever asked.
    if answer.status != 304 {
      counters.count(answer)
      headers.append("content-type", "application/xml")
      body = answer.document(resource: exchange.request.path, requestID: exchange.requestID)
    }
    do {
      try await exchange.respond(answer.status, headers: headers, body: body)
    } catch {
      logger.debug("a refusal did not reach its client", facts())
    }
  }
}

/// How many requests of each kind there were.
private struct S3Counters: Sendable {
  private let operations: [S3Operation: Counter]
  private let clientErrors: Counter
  private let serverErrors: Counter

  init(_ metrics: MetricsRegistry) {
    var operations: [S3Operation: Counter] = [:]
    for operation in S3Operation.allCases {
      operations[operation] = metrics.counter(
        "grange_s3_operations_total", "Authenticated S3 requests by operation.",
        labels: ["operation": operation.rawValue])
    }
    self.operations = operations
    let help = "S3 requests that were answered with an error, by who can mend it."
    clientErrors = metrics.counter("grange_s3_errors_total", help, labels: ["side": "client"])
    serverErrors = metrics.counter("grange_s3_errors_total", help, labels: ["side": "server"])
  }

  func count(_ operation: S3Operation) { operations[operation]?.add() }

  func count(_ error: S3Error) {
    if error.status >= 500 { serverErrors.add() } else { clientErrors.add() }
  }
}
