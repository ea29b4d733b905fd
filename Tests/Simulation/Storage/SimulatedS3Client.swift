// An S3 client on a host of its own: what kills a node does not kill those who use it.
//
// Each request has its own connection. One that could not be opened has carried nothing, so that the request is known
// not to be done; one that breaks later leaves it unknown. A client that keeps connections sends some requests twice,
// and then a write may take effect twice, which no checker could tell from a mistake of the server.

import APICommon
import Base
import Codecs
import Crypto
import HTTP
import Reactor
import SimulatedWorld

/// Who signs.
struct S3Credentials: Sendable {
  var id: String
  var secret: String
}

/// An answer of 2xx.
struct S3Answer: Sendable {
  var status: Int
  var headers: HTTPHeaders
  var body: [UInt8]
}

/// A client with one access key, which talks to whatever node it is told to.
final class SimulatedS3Client: @unchecked Sendable {
  // Safe because only the world's one thread touches it.

  /// Where nodes listen for clients.
  static let port: UInt16 = 3900
  private static let region = "grange"

  /// A user's patience: longer than a slow disk or a hedged request takes, and not as long as a cut lasts.
  private static let connectTimeout: Duration = .seconds(5)
  private static let responseTimeout: Duration = .seconds(20)

  let host: SimulatedHost
  let random: SeededRandom
  private let credentials: S3Credentials
  private let signer: RequestSigner

  init(_ host: SimulatedHost, _ credentials: S3Credentials, random: SeededRandom) {
    self.host = host
    self.credentials = credentials
    self.random = random
    signer = RequestSigner(
      accessKeyID: credentials.id, secret: credentials.secret, region: Self.region)
  }

  var name: String { host.name }

  /// The same client with another access key.
  func signing(as credentials: S3Credentials) -> SimulatedS3Client {
    SimulatedS3Client(host, credentials, random: random)
  }

  /// The dial failed: nothing was sent.
  private struct NotDialled: Error {}

  /// Sends a request to `node`.
  ///
  /// - Parameter path: Not escaped.
  func send(
    _ method: String, to node: SimulatedNode, _ path: String, query: [FormField] = [],
    headers: HTTPHeaders = HTTPHeaders(), body: [UInt8] = []
  ) async -> S3Outcome<S3Answer> {
    var headers = headers
    let request = RequestTarget(path: Array(path.utf8), query: query)
    headers.append("Host", "\(node.name):\(Self.port)")
    let hash =
      random.below(2) == 0
      ? PayloadIntegrity.unsignedText : Hex.encode(Self.sha256(body))
    // By the clock of the node, as programs do that were once told that theirs is wrong.
    signer.sign(
      method: method, target: request, headers: &headers, payloadHash: hash,
      at: node.host.wallNow)
    var target = PercentCoding.encode(Array(path.utf8), allowed: .unreservedAndSlash)
    if !query.isEmpty { target += "?" + FormCoding.serialize(query) }
    do {
      return try await exchange(method, node, target, headers, body)
    } catch is NotDialled {
      return .refused(S3Refusal(status: 0, code: S3Refusal.notDialled))
    } catch { return .unknown("\(error)") }
  }

  private func exchange(
    _ method: String, _ node: SimulatedNode, _ target: String, _ headers: HTTPHeaders,
    _ body: [UInt8]
  ) async throws -> S3Outcome<S3Answer> {
    let sent = headers
    let answer = try await host.run { [host] in
      var options = HTTPClient.Options()
      options.lane = { 0 }
      options.idleConnectionsMax = 0
      options.connectTimeout = Self.connectTimeout
      options.responseTimeout = Self.responseTimeout
      options.bodyTimeout = Self.responseTimeout
      let address = node.host.addresses[0].with(port: Self.port)
      let client = HTTPClient(options: options, runtime: host) { _, deadline in
        do {
          return try await host.network.connect(to: address, deadline: deadline)
        } catch { throw NotDialled() }
      }
      let response = try await client.request(
        method, .tcp(host: node.name, port: Self.port), target, headers: sent, body: .bytes(body))
      let bytes = try await response.collect(maxBytes: 16 << 20)
      return S3Answer(status: response.status, headers: response.headers, body: bytes)
    }
    return Self.outcome(answer)
  }

  private static func outcome(_ answer: S3Answer) -> S3Outcome<S3Answer> {
    switch answer.status {
    case 200...299: return .done(answer)
    case 400...499:
      let code = (try? XMLParser.parse(answer.body))?.text(of: "Code")
      return .refused(S3Refusal(status: answer.status, code: code ?? "\(answer.status)"))
    default:
      let document = try? XMLParser.parse(answer.body)
      return .unknown("\(answer.status) \(document?.text(of: "Message") ?? "")")
    }
  }

  private static func sha256(_ bytes: [UInt8]) -> [UInt8] {
    let digest = Digest(.sha256)
    digest.update(bytes)
    return digest.finish()
  }
}
