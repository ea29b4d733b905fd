import Blocks
import Testing

@Suite struct BlockCompressorTests {
  private func compressed(_ plain: [UInt8], level: Int32? = 1) -> [UInt8]? {
    var output = [UInt8](repeating: 0, count: plain.count)
    let count = plain.withUnsafeBytes { plain in
      output.withUnsafeMutableBytes { BlockCompressor(level: level).compress(plain, into: $0) }
    }
    return count.map { Array(output[..<$0]) }
  }

  @Test func textShrinksAndComesBack() throws {
    let plain = prose(1 << 20)
    let frame = try #require(compressed(plain))
    #expect(frame.count < plain.count / 10)
    var output = [UInt8](repeating: 0, count: plain.count)
    try frame.withUnsafeBytes { frame in
      try output.withUnsafeMutableBytes {
        try BlockCompressor(level: 1).decompress(frame, into: $0)
      }
    }
    #expect(output == plain)
  }

  @Test func whatDoesNotShrinkIsStoredAsItIs() {
    for count in [1, 63, 64, 1000, 65_536, 1 << 20] { #expect(compressed(noise(count)) == nil) }
  }

  @Test func aBlockOfWhichHalfShrinksIsCompressed() {
    #expect(compressed(noise(1 << 19) + prose(1 << 19)) != nil)
  }

  @Test func noLevelCompressesNothing() {
    #expect(compressed(prose(10_000), level: nil) == nil)
  }

  @Test func aFrameOfAnotherLengthIsRefused() throws {
    let frame = try #require(compressed(prose(1000)))
    for count in [0, 999, 1001] {
      var output = [UInt8](repeating: 0, count: count)
      #expect(throws: BlockFileError.self) {
        try frame.withUnsafeBytes { frame in
          try output.withUnsafeMutableBytes { output in
            try BlockCompressor(level: 1).decompress(frame, into: output)
          }
        }
      }
    }
  }
}
