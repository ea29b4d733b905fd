// A peer that breaks the rules of docs/formats/wire.md.

import Base
import Codecs
import Mesh
import SimulatedWorld
import Testing

@Suite struct MeshViolationTests {
  /// What a connection ends with when the peer says `frames`.
  private func reason(_ frames: [(FrameHead, [UInt8])]) throws -> MeshError? {
    let runtime = SimulatedRuntime(seed: 1)
    return try runtime.run {
      let pair = SimulatedPair(runtime)
      let services = MeshConnectionServices(
        endpoints: .forTests(on: runtime), upload: RateLimiter(bytesPerSecond: nil),
        download: RateLimiter(bytesPerSecond: nil), news: { [] }, heardNews: { _, _ in })
      let serving = runtime.spawn { _ = await pair.dialler.run(services) }
      var bytes: [UInt8] = []
      for (head, payload) in frames {
        head.append(to: &bytes)
        bytes += payload
      }
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
      defer { buffer.deallocate() }
      buffer.copyBytes(from: bytes)
      try await pair.pipe.second.write(
        UnsafeRawBufferPointer(buffer), deadline: runtime.now + .seconds(5))
      try await runtime.sleep(for: .milliseconds(500))
      defer { serving.cancel() }
      return pair.dialler.failure
    }
  }

  private func open(_ stream: UInt64, endpoint: String = "test/hang") -> (FrameHead, [UInt8]) {
    var writer = BinaryWriter()
    OpenHead(endpoint: endpoint, timeout: 60_000).write(to: &writer)
    return (FrameHead(.open, stream: stream, payloadBytes: writer.bytes.count), writer.bytes)
  }

  private func data(_ stream: UInt64, _ count: Int, isEnd: Bool = false) -> (FrameHead, [UInt8]) {
    (
      FrameHead(.data, flags: isEnd ? .end : [], stream: stream, payloadBytes: count),
      [UInt8](repeating: 1, count: count)
    )
  }

  @Test func moreThanWasGrantedEndsTheConnection() throws {
    let frames = [open(2)] + (0..<5).map { _ in data(2, 16_000) }
    #expect(try reason(frames) == .violation("more bytes than were granted"))
    #expect(try reason([open(2)] + (0..<4).map { _ in data(2, 16_000) }) == nil)
  }

  @Test func bytesAfterTheEndEndTheConnection() throws {
    #expect(
      try reason([open(2), data(2, 1, isEnd: true), data(2, 1)])
        == .violation("bytes after the end of a stream"))
  }

  @Test func streamsAreNumberedInOrderByWhoOpensThem() throws {
    #expect(try reason([open(2), open(4), open(6)]) == nil)
    #expect(try reason([open(1)]) == .violation("a stream's number is wrong"))
    #expect(try reason([open(4), open(2)]) == .violation("a stream's number is wrong"))
    #expect(
      try reason([data(8, 1)]) == .violation("a frame of a stream that was never opened"))
  }

  @Test func moreStreamsThanAllowedEndTheConnection() throws {
    let frames = (1...257).map { open(UInt64(2 * $0)) }
    #expect(try reason(frames) == .violation("too many open streams"))
    #expect(try reason(Array(frames.dropLast())) == nil)
  }

  @Test func framesOfStreamsThatAreOverAreIgnored() throws {
    #expect(try reason([open(2, endpoint: "test/unknown"), data(2, 5), data(2, 5)]) == nil)
  }

  @Test func tooMuchCreditEndsTheConnection() throws {
    let credit: (FrameHead, [UInt8]) = (
      FrameHead(.credit, stream: 2, payloadBytes: 4), [0xFF, 0xFF, 0xFF, 0xFF]
    )
    #expect(try reason([open(2), credit, credit]) == .violation("too much credit"))
  }
}
