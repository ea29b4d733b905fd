// The tasks of a connection: reading, writing, asking whether the peer is there.

package import Base
import Codecs
package import Reactor

/// The stream of bytes below a connection.
package final class MeshWire: @unchecked Sendable {
  // Safe because it is used by the connection's own tasks alone, all of which run on the loop that it belongs to; `close`
  // may be called from anywhere.
  let stream: any ByteStream

  package init(_ stream: any ByteStream) { self.stream = stream }
}

/// What a connection needs to run.
package struct MeshConnectionServices: Sendable {
  package var endpoints: EndpointRegistry
  package var upload: RateLimiter
  package var download: RateLimiter
  /// What the next ping says beside its number.
  package var news: @Sendable () -> [UInt8]
  /// Called with what the peer's ping said.
  package var heardNews: @Sendable (NodeID, [UInt8]) -> Void

  package init(
    endpoints: EndpointRegistry, upload: RateLimiter, download: RateLimiter,
    news: @escaping @Sendable () -> [UInt8],
    heardNews: @escaping @Sendable (NodeID, [UInt8]) -> Void
  ) {
    self.endpoints = endpoints
    self.upload = upload
    self.download = download
    self.news = news
    self.heardNews = heardNews
  }
}

extension MeshConnection {
  /// How long the peer may take for what is written at once: at 64 kbit/s a full buffer is through in 8 s.
  private static let writeMax: Duration = .seconds(20)
  /// How long what was said last may take to get out.
  private static let goodbyeMax: Duration = .seconds(1)

  /// Serves the connection until it ends, and returns why; every stream has failed by then.
  ///
  /// Must be called on the loop that the socket belongs to. Cancelling the task ends the connection.
  package nonisolated(nonsending) func run(_ services: MeshConnectionServices) async -> MeshError {
    // What TCP holds back for a while, as after a loss, goes out at once afterwards, whatever the limit.
    wire.stream.limitUnsent(toBytes: min(lane.unsentBytesMax, services.upload.pieceBytesMax))
    await withTaskGroup(of: Part.self) { group in
      group.addTask { await self.running(.reading) { try await self.readAll(services) } }
      group.addTask { await self.running(.writing) { try await self.writeAll(services) } }
      if lane == .control {
        group.addTask { await self.running(.watching) { try await self.watch(services) } }
      }
      group.addTask { [runtime] in
        // Once it is closed, the writer has a moment for what was said last.
        await self.waitForEnd()
        try? await runtime.sleep(for: Self.goodbyeMax)
        return .waiting
      }
      while let part = await group.next(), part != .writing, part != .waiting {}
      if case .disconnected(.silence, _) = failure {
        // The goodbye may wait behind what was never acknowledged, where only one way is cut.
        wire.stream.reset()
      } else {
        wire.stream.close()
      }
      group.cancelAll()
    }
    return failure ?? .disconnected(.broken, "")
  }

  /// The tasks of a connection.
  private enum Part { case reading, writing, watching, waiting }

  /// Runs `body`, and closes the connection with what it throws.
  private nonisolated(nonsending) func running(
    _ part: Part, _ body: nonisolated(nonsending) () async throws -> Void
  ) async -> Part {
    do {
      try await body()
    } catch let error as MeshError {
      close(error)
    } catch is CancellationError {
      close(.disconnected(.stopping, "the node stops"))
    } catch {
      close(.disconnected(.broken, "\(error)"))
    }
    return part
  }

  // MARK: Reading

  private nonisolated(nonsending) func readAll(_ services: MeshConnectionServices) async throws {
    var parser = FrameParser()
    while true {
      try await wire.stream.waitUntilReadable(deadline: .distantFuture)
      let buffer = BufferPool.shared.take()
      defer { BufferPool.shared.give(buffer) }
      let count = try await wire.stream.read(into: buffer.bytes, deadline: .distantFuture)
      guard count > 0 else { throw MeshError.disconnected(.broken, "the peer closed it") }
      liveness.heard(at: runtime.now)
      try parser.parse(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count])) {
        (head, payload) throws(MeshError) in
        try handle(head, payload, services)
      }
      if failure != nil { return }
      try await services.download.pass(count, urgent: lane == .control, on: runtime)
    }
  }

  private func handle(
    _ head: FrameHead, _ payload: UnsafeRawBufferPointer, _ services: MeshConnectionServices
  ) throws(MeshError) {
    switch head.kind {
    case .hello: throw .violation("a second hello")
    case .open: try opened(head, payload, services)
    case .data:
      guard let stream = try stream(head.stream) else { return }
      if try !stream.receive(payload, isEnd: head.flags.contains(.end)) { forget(stream) }
    case .credit:
      var reader = BinaryReader(payload)
      guard let bytes = try? reader.u32(), reader.isAtEnd else {
        throw .violation("a credit is malformed")
      }
      try stream(head.stream)?.grant(Int(bytes))
    case .reset:
      let (code, text) = try Notice.decode(payload)
      guard let stream = try stream(head.stream) else { return }
      stream.fail(.reset(ResetCode(rawValue: code) ?? .failed, text))
      forget(stream)
    case .ping: try pinged(head, payload, services)
    case .close:
      let (code, text) = try Notice.decode(payload)
      close(.disconnected(CloseReason(rawValue: code) ?? .broken, text))
    }
  }

  private func opened(
    _ head: FrameHead, _ payload: UnsafeRawBufferPointer, _ services: MeshConnectionServices
  ) throws(MeshError) {
    var reader = BinaryReader(payload)
    guard let open = try? OpenHead(&reader) else { throw .violation("an open frame is malformed") }
    let deadline =
      open.timeout == 0
      ? MonotonicInstant.distantFuture
      : runtime.now + .milliseconds(Int64(clamping: open.timeout))
    let stream = try accept(head.stream, deadline: deadline)
    let first = UnsafeRawBufferPointer(
      rebasing: payload[(payload.count - reader.remainingCount)...])
    _ = try stream.receive(first, isEnd: head.flags.contains(.end))
    guard let handler = services.endpoints.handler(open.endpoint) else {
      return stream.cancel(.unknownEndpoint, "the endpoint \(open.endpoint) is unknown here")
    }
    answer(stream, by: handler)
  }

  private func pinged(
    _ head: FrameHead, _ payload: UnsafeRawBufferPointer, _ services: MeshConnectionServices
  ) throws(MeshError) {
    let ping = try Ping.decode(payload)
    if head.flags.contains(.answer) {
      liveness.answered(ping.number, at: runtime.now)
    } else {
      sendPing(Ping.encode(ping.number, news: services.news()), isAnswer: true)
    }
    services.heardNews(peer, ping.news)
  }

  // MARK: Writing

  private nonisolated(nonsending) func writeAll(_ services: MeshConnectionServices) async throws {
    var batch: [UInt8] = []
    while true {
      batch = try await nextBatch(batch)
      try await write(batch, services.upload)
    }
  }

  /// Writes `bytes`, in pieces as small as the limit asks for.
  private nonisolated(nonsending) func write(
    _ bytes: [UInt8], _ limiter: RateLimiter
  ) async throws {
    var position = 0
    while position < bytes.count {
      let count = min(bytes.count - position, limiter.pieceBytesMax, BufferPool.bufferBytes)
      try await limiter.pass(count, urgent: lane == .control, on: runtime)
      // Through a buffer of its own: an array's bytes lie still only within a call that does not wait.
      let buffer = BufferPool.shared.take()
      defer { BufferPool.shared.give(buffer) }
      buffer.bytes.copyBytes(from: bytes[position..<position + count])
      position += count
      try await wire.stream.write(
        UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count]),
        deadline: runtime.now + Self.writeMax)
    }
  }

  // MARK: Watching

  private nonisolated(nonsending) func watch(_ services: MeshConnectionServices) async throws {
    while true {
      let now = runtime.now
      guard now < liveness.deadline else {
        throw MeshError.disconnected(.silence, "nothing came for \(Liveness.silenceMax)")
      }
      if now >= liveness.nextQuestion {
        let number = liveness.ask(at: now, nextIn: Liveness.pause(runtime.random))
        sendPing(Ping.encode(number, news: services.news()), isAnswer: false)
      }
      try await runtime.sleep(until: min(liveness.nextQuestion, liveness.deadline))
    }
  }
}
