import Base
import Testing

@Suite struct IdentifierTests {
  @Test func readsAndWritesBytesAndDigits() {
    let bytes = (0..<32).map { UInt8($0 * 7) }
    let id = BucketID(bytes)
    #expect(id?.bytes == bytes)
    #expect(id?.hex == Hex.encode(bytes))
    #expect(BucketID(hex: Hex.encode(bytes).uppercased()) == id)
    #expect(BucketID(bytes.dropLast()) == nil)
    #expect(UploadID(bytes.prefix(16))?.bytes == Array(bytes.prefix(16)))
    #expect(UploadID(bytes.prefix(17)) == nil)
    #expect(UploadID(hex: "0g") == nil)
    #expect(NodeID(bytes)?.firstByte == 0)
  }

  @Test(arguments: 0..<50 as Range<UInt64>)
  func ordersAsItsBytes(seed: UInt64) throws {
    let random = Seeded(seed)
    var left = random.bytes(32)
    let right = random.bytes(32)
    // A long common prefix, so that later bytes decide too.
    left.replaceSubrange(0..<random.below(32), with: right)
    left = Array(left.prefix(32))
    let (first, second) = (try #require(BlockHash(left)), try #require(BlockHash(right)))
    #expect((first < second) == left.lexicographicallyPrecedes(right))
    let (third, fourth) = (
      try #require(UploadID(left.prefix(16))), try #require(UploadID(right.prefix(16)))
    )
    #expect((third < fourth) == left.prefix(16).lexicographicallyPrecedes(right.prefix(16)))
    var appended: [UInt8] = [1]
    first.append(to: &appended)
    third.append(to: &appended)
    #expect(appended == [1] + left + left.prefix(16))
  }
}
