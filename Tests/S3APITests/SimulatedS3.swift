// A whole node behind its S3 interface, in the simulated world: HTTP server, handler, store, tables, blocks,
// with files in a temporary folder; and a client that signs.

import APICommon
import Base
import Blocks
import Codecs
import Crypto
import HTTP
import LocalDB
import Model
import Reactor
import S3API
import SimulatedWorld
import Tables
import TestStorage
import Testing

/// A response, read to its end.
struct S3Response: Sendable {
  let status: Int
  let headers: HTTPHeaders
  let body: [UInt8]

  var text: String { String(decoding: body, as: UTF8.self) }

  /// The code of an error document.
  var code: String? { try? xml().text(of: "Code") }

  func xml() throws -> XMLElement { try XMLParser.parse(body) }
}

/// One node.
final class SimulatedS3: Sendable {
  static let accessKeyID = "GK0123456789abcdef01234567"
  static let secret = String(repeating: "5ec7e7", count: 10)
  static let region = "grange"

  let runtime: SimulatedRuntime
  let store: Store
  let client: HTTPClient
  private let server: HTTPServer
  private let folder: TemporaryFolder

  /// Starts a node, with one access key that may create buckets, and runs `body`.
  static func run(
    seed: UInt64 = .random(in: 0...UInt64.max), logger: Logger = .disabled,
    region: String = SimulatedS3.region,
    _ body: @escaping @Sendable (SimulatedS3) async throws -> Void
  ) throws {
    let runtime = SimulatedRuntime(seed: seed)
    do {
      let node = try SimulatedS3(runtime, logger, region)
      try runtime.run {
        _ = try await node.store.accessKeys.importKey(
          id: accessKeyID, secret: secret, name: "tester")
        _ = try await node.store.accessKeys.update(accessKeyID, mayCreateBuckets: true)
        try await body(node)
      }
    } catch {
      Issue.record(error, "seed \(seed)")
    }
  }

  private init(_ runtime: SimulatedRuntime, _ logger: Logger, _ region: String) throws {
    self.runtime = runtime
    let folder = TemporaryFolder()
    self.folder = folder
    let metrics = MetricsRegistry()
    store = try Self.openStore(runtime, folder, metrics)
    var s3Options = S3Handler.Options(region: region, rootDomain: ".s3.test")
    s3Options.logsAccess = true
    let handler = S3Handler(
      options: s3Options, store: store, runtime: runtime,
      metrics: metrics, logger: logger)
    var options = HTTPServer.Options()
    options.requestIDHeader = S3Handler.requestIDHeader
    let server = HTTPServer(
      options: options, runtime: runtime, handler: handler, metrics: metrics, logger: .disabled)
    self.server = server
    var clientOptions = HTTPClient.Options()
    clientOptions.lane = { 0 }
    client = HTTPClient(options: clientOptions, runtime: runtime) { _, _ in
      var options = SimulatedPipeOptions()
      options.delay = .zero ... .milliseconds(1)
      let pipe = SimulatedPipe(runtime, options: options)
      runtime.spawn { await server.serve(pipe.second, isTLS: false) }
      return pipe.first
    }
  }

  private static func openStore(
    _ runtime: SimulatedRuntime, _ folder: TemporaryFolder, _ metrics: MetricsRegistry
  ) throws -> Store {
    var database = LocalDatabase.Options(path: folder.path + "/meta")
    database.writing = .inline
    database.fsync = false
    let clock = HybridClock(runtime: runtime)
    let node = NodeID(random: runtime.random)
    let replica = try LocalTableReplica(
      node: node, database: LocalDatabase.open(database, random: runtime.random), clock: clock,
      random: runtime.random)
    var blocks = BlockService.Options(
      node: node, directories: [DataDirectoryOptions(path: folder.path + "/data")])
    blocks.fsync = false
    return try Store(
      replica: replica,
      coordinator: TableCoordinator(
        placement: SoleNodePlacement(replica), clock: clock, runtime: runtime),
      blocks: BlockService(
        blocks, replica: replica, runtime: runtime, metrics: metrics, logger: .disabled),
      runtime: runtime, metrics: metrics, logger: .disabled)
  }

  /// Who signs a request, and how.
  struct Signing: Sendable {
    var accessKeyID = SimulatedS3.accessKeyID
    var secret = SimulatedS3.secret
    var region = SimulatedS3.region
    var payload = PayloadIntegrity.unsignedText
  }

  /// Sends a request.
  ///
  /// - Parameters:
  ///   - target: path and query, escaped.
  ///   - signing: `nil` sends it as it is.
  ///   - coding: makes the body that travels of the context of the signature.
  func send(
    _ method: String, _ target: String, headers: HTTPHeaders = HTTPHeaders(), body: [UInt8] = [],
    host: String = "s3.test", signing: Signing? = Signing(),
    coding: (ChunkSigningContext) -> [UInt8]? = { _ in nil }
  ) async throws -> S3Response {
    var headers = headers
    if !headers.contains("host") { headers.append("Host", host) }
    var body = body
    if let signing {
      let signer = RequestSigner(
        accessKeyID: signing.accessKeyID, secret: signing.secret, region: signing.region)
      let context = signer.sign(
        method: method,
        target: try RequestTarget(HTTPRequestHead(method: method, target: target)),
        headers: &headers, payloadHash: signing.payload, at: runtime.wallNow)
      body = coding(context) ?? body
    }
    let response = try await client.request(
      method, .tcp(host: "s3.test", port: 80), target, headers: headers, body: .bytes(body))
    return S3Response(
      status: response.status, headers: response.headers,
      body: try await response.collect(maxBytes: 64 << 20))
  }

  /// Signs with the access key that every store has.
  static let signer = RequestSigner(accessKeyID: accessKeyID, secret: secret, region: region)

  /// A target that holds for a minute.
  ///
  /// - Parameter path: Not escaped.
  func presigned(
    _ method: String, _ path: String, query: [FormField] = [], host: String = "s3.test",
    by signer: RequestSigner = signer
  ) -> String {
    signer.presign(
      method: method, target: RequestTarget(path: Array(path.utf8), query: query),
      headers: ["Host": host], expirySeconds: 60, at: runtime.wallNow)
  }

  /// Sends a request without a body and without saying so, which `client` does not; the answer as it travels.
  func sendWithoutLength(_ method: String, _ target: String) async throws -> String {
    try await sendHead(method, target)
  }

  /// Sends the head of a request with more `lines`, and nothing behind it; the answer as it travels.
  func sendHead(_ method: String, _ target: String, _ lines: String...) async throws -> String {
    var headers: HTTPHeaders = ["Host": "s3.test"]
    Self.signer.sign(
      method: method, target: try RequestTarget(HTTPRequestHead(method: method, target: target)),
      headers: &headers, payloadHash: PayloadIntegrity.unsignedText, at: runtime.wallNow)
    let fields =
      headers.map { "\($0.name): \($0.value)\r\n" }.joined()
      + lines.map { "\($0)\r\n" }.joined()
    return try await sendRaw("\(method) \(target) HTTP/1.1\r\nConnection: close\r\n\(fields)\r\n")
  }

  /// Sends `text` as it is, and returns all that comes back until the server closes.
  func sendRaw(_ text: String) async throws -> String {
    let bytes = Array(text.utf8)
    let pipe = SimulatedPipe(runtime)
    runtime.spawn { [server] in await server.serve(pipe.second, isTLS: false) }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 << 10, alignment: 16)
    defer { buffer.deallocate() }
    buffer.copyBytes(from: bytes)
    try await pipe.first.write(
      UnsafeRawBufferPointer(rebasing: buffer[..<bytes.count]), deadline: .distantFuture)
    var answer: [UInt8] = []
    while true {
      let count = try await pipe.first.read(into: buffer, deadline: .distantFuture)
      if count == 0 { return String(decoding: answer, as: UTF8.self) }
      answer += buffer[..<count]
    }
  }

  /// Sends a request that must be answered with `status`.
  @discardableResult
  func expect(
    _ status: Int, _ method: String, _ target: String, headers: HTTPHeaders = HTTPHeaders(),
    body: [UInt8] = [], sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> S3Response {
    let response = try await send(method, target, headers: headers, body: body)
    #expect(
      response.status == status, "\(method) \(target): \(response.text.prefix(500))",
      sourceLocation: sourceLocation)
    return response
  }
}
