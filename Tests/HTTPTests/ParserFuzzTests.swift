// Random changes to valid messages. Nothing may trap, and the outcome may not depend on how the bytes
// arrive.

import Base
import HTTP
import SimulatedWorld
import Testing

@Suite struct ParserFuzzTests {
  /// Bytes that mean something to a parser, so that changes hit more than they would at random.
  private static let interesting =
    Array("\r\n\t :,;/?0159aAfFgzHTP\u{00}\u{7F}".utf8) + [0x80, 0xFF]

  private func mutate(_ bytes: [UInt8], _ random: SeededRandom) -> [UInt8] {
    var bytes = bytes
    for _ in 0...random.below(4) {
      let position = random.below(bytes.count + 1)
      let byte = Self.interesting[random.below(Self.interesting.count)]
      switch random.below(5) {
      case 0 where position < bytes.count: bytes[position] = byte
      case 1: bytes.insert(byte, at: position)
      case 2 where position < bytes.count: bytes.remove(at: position)
      case 3:
        let end = min(bytes.count, position + random.below(20))
        bytes.insert(contentsOf: bytes[position..<end], at: random.below(bytes.count + 1))
      default: bytes.removeSubrange(position..<min(bytes.count, position + random.below(3)))
      }
    }
    return bytes
  }

  @Test(arguments: UInt64(1)...8)
  func requestsNeverTrapAndNeverDependOnSplits(seed: UInt64) {
    let random = SeededRandom(seed: seed)
    let samples = RequestParserTests.accepted + RequestParserTests.refused.map(\.bytes)
    for _ in 0..<1500 {
      let sample = samples[random.below(samples.count)]
      let bytes = mutate(Array(sample.utf8.prefix(600)), random)
      let whole = parseRequest(bytes)
      let cuts = (0..<3).map { _ in random.below(bytes.count + 1) }.sorted()
      #expect(parseRequest(bytes, cuts: cuts) == whole, "seed \(seed), \(bytes)")
      if case .rejected(let status) = whole { #expect((400...599).contains(status)) }
    }
  }

  @Test(arguments: UInt64(1)...8)
  func chunkedBodiesNeverTrapAndNeverDependOnSplits(seed: UInt64) {
    let random = SeededRandom(seed: seed)
    for _ in 0..<1500 {
      let bytes = mutate(ChunkedDecoderTests.body, random)
      let whole = describe(decodeChunks(bytes, inputBytes: bytes.count + 1, outputBytes: 1000))
      let split = describe(
        decodeChunks(bytes, inputBytes: 1 + random.below(9), outputBytes: 1 + random.below(9)))
      #expect(split == whole, "seed \(seed), \(bytes)")
    }
  }

  private func describe(
    _ result: Result<(content: [UInt8], trailers: HTTPHeaders, rest: Int)?, HTTPRejection>
  ) -> String {
    switch result {
    case .failure(let rejection): "rejected \(rejection.status)"
    case .success(nil): "incomplete"
    case .success(let (content, trailers, rest)?): "\(content) \(trailers) \(rest)"
    }
  }

  @Test(arguments: UInt64(1)...4)
  func responsesNeverTrap(seed: UInt64) {
    let random = SeededRandom(seed: seed)
    let sample = Array(
      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\nX: y\r\n\r\n0123456789".utf8)
    for _ in 0..<1500 {
      let bytes = mutate(sample, random)
      var parser = ResponseParser(limits: testLimits, answersHead: false)
      // Either outcome is right; only a trap is not.
      _ = try? bytes.withUnsafeBytes { try parser.parse($0) }
    }
  }
}
