// The bytes of frames (docs/formats/wire.md).

import Base
import Codecs
import Mesh
import SimulatedWorld
import Testing

@Suite struct FrameTests {
  @Test func headsHaveTheseBytes() throws {
    var bytes: [UInt8] = []
    FrameHead(.data, flags: .end, stream: 7, payloadBytes: 300).append(to: &bytes)
    #expect(bytes == [0x01, 0x2C, 3, 1, 0, 0, 0, 0, 0, 0, 0, 7])
    let head = try bytes.withUnsafeBytes { try FrameHead($0) }
    #expect(head == FrameHead(.data, flags: .end, stream: 7, payloadBytes: 300))
  }

  @Test(
    arguments: [
      [0x3F, 0xF5, 3, 0, 0, 0, 0, 0, 0, 0, 0, 1],
      [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1],
      [0, 0, 3, 2, 0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 1],
      [0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    ] as [[UInt8]])
  func othersAreRefused(_ bytes: [UInt8]) {
    #expect(throws: MeshError.self) { try bytes.withUnsafeBytes { try FrameHead($0) } }
  }

  @Test func helloHasTheseBytes() throws {
    let cluster = try #require(ClusterID(hex: String(repeating: "ab", count: 32)))
    let start = try #require(StartID(hex: String(repeating: "cd", count: 16)))
    var hello = Hello(cluster: cluster, start: start, lane: .bulk, observed: "192.0.2.1:9")
    hello.trailing = [0xEE]
    let expected =
      "01" + "0001" + "0001" + String(repeating: "ab", count: 32)
      + String(repeating: "cd", count: 16) + "01" + "10" + "808044" + "0b3139322e302e322e313a39"
      + "ee"
    #expect(Hex.encode(hello.encoded()) == expected)
    let read = try BinaryReader.read(hello.encoded()) { reader throws(BinaryError) in
      try Hello(&reader)
    }
    #expect(read == hello)
  }

  @Test func openHeadHasTheseBytes() throws {
    var writer = BinaryWriter()
    OpenHead(endpoint: "a/b", timeout: 1500).write(to: &writer)
    #expect(Hex.encode(writer.bytes) == "07" + "01" + "03612f62" + "dc0b")
  }

  /// However the bytes are cut, the same frames come out.
  @Test(arguments: 0..<50) func framesComeOutOfAnyPieces(_ seed: UInt64) throws {
    let random = SeededRandom(seed: seed)
    var bytes: [UInt8] = []
    var expected: [[UInt8]] = []
    for number in 0..<20 {
      let sizes = [0, 1, 100, FrameHead.payloadBytesMax]
      let payload = random.bytes(sizes[random.below(sizes.count)])
      FrameHead(.data, stream: UInt64(number + 1), payloadBytes: payload.count).append(to: &bytes)
      bytes += payload
      expected.append(payload)
    }
    var parser = FrameParser()
    var found: [[UInt8]] = []
    var position = 0
    while position < bytes.count {
      let end = min(bytes.count, position + 1 + random.below(random.below(3) == 0 ? 20 : 40_000))
      try bytes[position..<end].withUnsafeBytes { piece in
        try parser.parse(piece) { head, payload in
          #expect(head.stream == UInt64(found.count + 1))
          found.append([UInt8](payload))
        }
      }
      position = end
    }
    #expect(found == expected, "seed \(seed)")
    #expect(!parser.holdsPart)
  }

  @Test func commonProtocolIsTheNewestOfBoth() {
    #expect(Hello.common(1...3, 2...5) == 3)
    #expect(Hello.common(1...1, 1...2) == 1)
    #expect(Hello.common(1...2, 3...4) == nil)
  }
}
