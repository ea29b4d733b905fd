// A server in the simulated world, and a client that speaks to it byte by byte.

import Base
import HTTP
import Reactor
import SimulatedWorld

/// Handles by a closure.
struct ClosureHandler: HTTPHandler {
  let body: @Sendable (HTTPExchange) async throws -> Void

  func handle(_ exchange: HTTPExchange) async {
    // What a test wants to know of an error it notes itself.
    try? await body(exchange)
  }
}

/// A server on a simulated runtime.
final class SimulatedServer: Sendable {
  let runtime: SimulatedRuntime
  let server: HTTPServer
  let metrics = MetricsRegistry()

  init(
    _ runtime: SimulatedRuntime, options: HTTPServer.Options = .init(),
    handler: @escaping @Sendable (HTTPExchange) async throws -> Void
  ) {
    self.runtime = runtime
    server = HTTPServer(
      options: options, runtime: runtime, handler: ClosureHandler(body: handler),
      metrics: metrics, logger: .disabled)
  }

  /// A new connection; the server serves its other end.
  func connect(_ options: SimulatedPipeOptions = .init()) -> RawClient {
    let pipe = SimulatedPipe(runtime, options: options)
    runtime.spawn { [self] in await server.serve(pipe.second, isTLS: false) }
    return RawClient(runtime: runtime, stream: pipe.first)
  }
}

/// Answers with the method, the target and the body that came.
func echo(_ exchange: HTTPExchange) async throws {
  let body = try await exchange.body.collect(maxBytes: 1 << 20)
  let text = "\(exchange.request.method) \(exchange.request.target) "
  try await exchange.respond(
    200, headers: ["content-type": "text/plain"], body: Array(text.utf8) + body)
}

/// A client that sends what it is told, right or wrong.
final class RawClient: @unchecked Sendable {
  // Safe because only the simulated runtime's one thread touches it.

  let stream: SimulatedStream
  private let runtime: SimulatedRuntime
  private var received: [UInt8] = []

  init(runtime: SimulatedRuntime, stream: SimulatedStream) {
    self.runtime = runtime
    self.stream = stream
  }

  func send(_ text: String) async throws { try await send(Array(text.utf8)) }

  func send(_ bytes: [UInt8], deadline: MonotonicInstant = .distantFuture) async throws {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { buffer.deallocate() }
    buffer.copyBytes(from: bytes)
    try await stream.write(UnsafeRawBufferPointer(buffer), deadline: deadline)
  }

  func finish() async throws { try await stream.finishWriting(deadline: .distantFuture) }

  /// One more piece; `false` at the end.
  private func receive(deadline: MonotonicInstant = .distantFuture) async throws -> Bool {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 1)
    defer { buffer.deallocate() }
    let count = try await stream.read(into: buffer, deadline: deadline)
    received += buffer[..<count]
    return count > 0
  }

  /// Everything until the server closes.
  func readToEnd() async throws -> String {
    while try await receive() {}
    defer { received = [] }
    return String(decoding: received, as: UTF8.self)
  }

  /// What comes within `duration`.
  func read(for duration: Duration) async throws -> String {
    let deadline = runtime.now + duration
    do {
      while try await receive(deadline: deadline) {}
    } catch StreamError.timedOut {}
    defer { received = [] }
    return String(decoding: received, as: UTF8.self)
  }

  /// Everything up to and with `end`, at least.
  func read(through end: String) async throws -> String {
    while !String(decoding: received, as: UTF8.self).contains(end) {
      guard try await receive() else { break }
    }
    defer { received = [] }
    return String(decoding: received, as: UTF8.self)
  }

  /// The next whole response, parsed.
  func readResponse(answersHead: Bool = false) async throws -> (
    head: HTTPResponseHead, body: String
  ) {
    var parser = ResponseParser(
      limits: HeadLimits(headMaxBytes: 65_536, fieldCountMax: 100), answersHead: answersHead)
    var parsed: ParsedResponse?
    while parsed == nil {
      parsed = try received.withUnsafeBytes { try parser.parse($0) }
      if parsed == nil, try await !receive() { throw HTTPError.truncated }
    }
    guard let parsed else { throw HTTPError.truncated }
    received.removeFirst(parsed.byteCount)
    guard case .length(let length) = parsed.framing else { return (parsed.head, "") }
    while received.count < Int(length) {
      guard try await receive() else { throw HTTPError.truncated }
    }
    defer { received.removeFirst(Int(length)) }
    return (parsed.head, String(decoding: received[..<Int(length)], as: UTF8.self))
  }
}

/// Collects what handlers and clients report, on the runtime's one thread.
final class Notes: @unchecked Sendable {
  // Safe because only the simulated runtime's one thread touches it.
  var lines: [String] = []
  var count = 0
  var largest = 0
}
