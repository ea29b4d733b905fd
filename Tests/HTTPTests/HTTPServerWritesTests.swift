// What a server asks of its streams: few writes, and no buffer while it waits.

import Base
import HTTP
import Reactor
import SimulatedWorld
import Testing

/// Hands on to a stream and notes what is asked of it.
private final class NotingStream: ByteStream {
  private let stream: SimulatedStream
  private let notes: Notes
  /// What must not hold a buffer during a wait.
  var messages: MessageStream?

  init(_ stream: SimulatedStream, notes: Notes) {
    self.stream = stream
    self.notes = notes
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, deadline: MonotonicInstant) async throws
    -> Int
  {
    let count = try await stream.read(into: buffer, deadline: deadline)
    notes.lines.append("read \(count)")
    return count
  }

  func waitUntilReadable(deadline: MonotonicInstant) async throws {
    let holdsBuffer = messages.map { $0.received.holdsBuffer || $0.pending.holdsBuffer }
    notes.lines.append(holdsBuffer == false ? "wait" : "wait with a buffer")
    try await stream.waitUntilReadable(deadline: deadline)
  }

  func write(_ bytes: UnsafeRawBufferPointer, deadline: MonotonicInstant) async throws {
    notes.lines.append("write")
    notes.count += 1
    notes.largest = max(notes.largest, bytes.count)
    try await stream.write(bytes, deadline: deadline)
  }

  func finishWriting(deadline: MonotonicInstant) async throws {
    try await stream.finishWriting(deadline: deadline)
  }

  func close() { stream.close() }

  var peerDescription: String { stream.peerDescription }
}

@Suite struct HTTPServerWritesTests {
  /// Serves one connection of requests for `/fixed`, `/stream`, `/chunk` and `/large`.
  private func serve(_ requests: [String]) throws -> [String] {
    let runtime = SimulatedRuntime(seed: 1)
    let notes = Notes()
    let server = SimulatedServer(runtime) { exchange in
      let body = [UInt8](repeating: 65, count: 8 << 10)
      switch exchange.request.path {
      case "/fixed": try await exchange.respond(200, headers: ["a": "b"], body: body)
      case "/large":
        let response = try await exchange.beginResponse(200, contentLength: 1 << 20)
        let large = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 1)
        defer { large.deallocate() }
        try await response.write(UnsafeRawBufferPointer(large))
        try await response.finish()
      default:
        let isChunked = exchange.request.path == "/chunk"
        let response = try await exchange.beginResponse(
          200, contentLength: isChunked ? nil : UInt64(body.count))
        try await response.write(body)
        try await response.finish()
      }
    }
    var options = SimulatedPipeOptions()
    options.hasShortReads = false
    let pipe = SimulatedPipe(runtime, options: options)
    try runtime.run {
      runtime.spawn {
        let stream = NotingStream(pipe.second, notes: notes)
        let registry = ConnectionRegistry(connectionsMax: 1, heldBytesMax: 1 << 20)
        guard let entry = registry.add() else { return }
        let connection = ServerConnection(
          stream, server: server.server, entry: entry, isTLS: false)
        stream.messages = connection.messages
        await connection.run()
      }
      let client = RawClient(runtime: runtime, stream: pipe.first)
      for path in requests {
        try await client.send("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = try await client.read(for: .seconds(1))
      }
    }
    return notes.lines
  }

  @Test func aSmallResponseIsOneWriteAndOneRead() throws {
    let lines = try serve(["/fixed", "/stream"])
    #expect(lines == ["wait", "read 32", "write", "wait", "read 33", "write", "wait"])
  }

  @Test func aChunkIsOneWriteAndTheEndAnother() throws {
    let lines = try serve(["/chunk"])
    #expect(lines == ["wait", "read 32", "write", "write", "wait"])
  }

  @Test func aLargeBodyIsWrittenWithoutManyWrites() throws {
    let writes = try serve(["/large"]).count { $0 == "write" }
    #expect(writes == 9)
  }
}
