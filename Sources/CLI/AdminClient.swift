// Talks to the running node through its admin socket.

import Codecs
import Daemon
import HTTP
import Reactor

/// Sends requests of the admin interface.
struct AdminClient: Sendable {
  private let sources: ConfigurationSources
  private let runtime: EventLoopGroup

  /// Far above any answer.
  private static let answerBytesMax = 64 << 20

  init(sources: ConfigurationSources, runtime: EventLoopGroup) {
    self.sources = sources
    self.runtime = runtime
  }

  /// Asks for the operation `name`, without changing anything.
  func get(
    _ name: String, _ query: [FormField] = [], timeout: Duration = .seconds(60)
  ) async throws -> JSON {
    try await request("GET", name, query, body: nil, timeout: timeout)
  }

  /// Asks for the operation `name`, which changes something.
  func post(_ name: String, _ query: [FormField] = [], _ body: JSON? = nil) async throws -> JSON {
    try await request("POST", name, query, body: body, timeout: .seconds(120))
  }

  private func request(
    _ method: String, _ name: String, _ query: [FormField], body: JSON?, timeout: Duration
  ) async throws -> JSON {
    let path = try socketPath()
    do {
      return try await request(method, name, query, body: body, timeout: timeout, at: path)
    } catch let error as StreamError {
      throw CommandFailure(Self.explanation(of: error, path: path))
    } catch HTTPError.timedOut {
      throw CommandFailure(
        "the node at \(path) does not answer in time: see its log, and whether a disk of it hangs (dmesg)"
      )
    } catch is HTTPError {
      throw CommandFailure(
        "the node at \(path) ended the connection: it may be stopping; try again once it runs")
    }
  }

  private func request(
    _ method: String, _ name: String, _ query: [FormField], body: JSON?, timeout: Duration,
    at path: String
  ) async throws -> JSON {
    // Held open until the answer has come: the path may lead through it.
    let socket = try SocketPath(path)
    var options = HTTPClient.Options()
    options.connectTimeout = .seconds(5)
    options.responseTimeout = timeout
    let client = HTTPClient(options: options, runtime: runtime) { endpoint, deadline in
      guard case .unix(let path) = endpoint else { throw HTTPError.closed }
      return try await SocketStream.connect(to: .unix(path: path), deadline: deadline)
    }
    defer { withExtendedLifetime(socket) { client.close() } }
    let target = "/v2/\(name)" + (query.isEmpty ? "" : "?" + FormCoding.serialize(query))
    let response = try await client.request(
      method, .unix(path: socket.path), target, headers: ["Content-Type": "application/json"],
      body: .bytes(body?.bytes() ?? []))
    let bytes = try await response.collect(maxBytes: Self.answerBytesMax)
    return try Self.document(status: response.status, bytes)
  }

  private static func document(status: Int, _ bytes: [UInt8]) throws -> JSON {
    let limits = JSON.Limits(bytesMax: answerBytesMax)
    let document = bytes.isEmpty ? JSON.null : try? JSON.parse(bytes, limits: limits)
    guard let document else { throw CommandFailure("the node's answer is not JSON") }
    guard (200..<300).contains(status) else {
      throw CommandFailure(document["message"]?.string ?? "the node answered with status \(status)")
    }
    return document
  }

  private func socketPath() throws -> String {
    let isGiven = sources.filePath != nil || sources.dataFlag != nil
    if !isGiven, let path = sources.environment["GRANGE_SOCKET"], !path.isEmpty { return path }
    let configuration = try ConfigurationLoader.load(sources).configuration
    return SocketPath.adminSocket(in: configuration.metadataDirectory)
  }

  private static func explanation(of error: StreamError, path: String) -> String {
    switch SocketPath.reason(of: error) {
    case .notRunning:
      return "no node is running at \(path): start it with `grange server`, or say which one is "
        + "meant with --config, --data or GRANGE_SOCKET"
    case .notAllowed:
      return "\(path) may be used by the node's user and root only: run this as that user"
    case .other: return "the node does not answer at \(path): \(error)"
    }
  }
}
