import Base
import Model
import SimulatedWorld
import Tables
import Testing

@Suite struct ObjectSortKeyTests {
  private let upload = UploadID(high: 0x0102_0304_0506_0708, low: 0x090A_0B0C_0D0E_0F10)

  private func key(_ text: String) throws -> ObjectKey { try ObjectKey(text) }

  @Test func theBytesAreThoseOfTheFormat() throws {
    #expect(ObjectSortKey.version(try key("a"), .null).bytes == [1, 0x61, 0, 0, 0])
    #expect(
      ObjectSortKey.version(try key("a\0b"), .null).bytes == [1, 0x61, 0, 0xFF, 0x62, 0, 0, 0])
    #expect(
      ObjectSortKey.version(try key("a"), .numbered(Timestamp(rawValue: 1), upload)).bytes
        == [1, 0x61, 0, 0, 1] + [UInt8](repeating: 0xFF, count: 7) + [0xFE] + Array(1...16))
    #expect(ObjectSortKey.upload(try key("a"), upload).bytes == [2, 0x61, 0, 0] + Array(1...16))
    #expect(
      ObjectSortKey.part(try key("a"), upload, number: 0x1234).bytes
        == [3, 0x61, 0, 0] + Array(1...16) + [0x12, 0x34])
  }

  @Test func laterVersionsComeFirstAndTheNullVersionBeforeAll() throws {
    let early = ObjectSortKey.version(try key("k"), .numbered(Timestamp(rawValue: 5), upload))
    let late = ObjectSortKey.version(try key("k"), .numbered(Timestamp(rawValue: 6), upload))
    let null = ObjectSortKey.version(try key("k"), .null)
    #expect(null.bytes.lexicographicallyPrecedes(late.bytes))
    #expect(late.bytes.lexicographicallyPrecedes(early.bytes))
  }

  @Test func keysRoundTripInOrderAndNoneIsTheBeginningOfAnother() throws {
    let random = SeededRandom(seed: 20)
    var keys: [ObjectKey] = []
    for _ in 0..<400 { keys.append(try randomKey(random)) }
    for left in keys {
      let bytes = ObjectSortKey.version(left, .null).bytes
      #expect(ObjectSortKey(bytes) == .version(left, .null))
      let leftKey = ObjectSortKey.keyBytes(.version, left)
      for right in keys where left != right {
        let rightKey = ObjectSortKey.keyBytes(.version, right)
        #expect((left < right) == leftKey.lexicographicallyPrecedes(rightKey), "\(left) \(right)")
        #expect(!rightKey.starts(with: leftKey), "\(left) \(right)")
      }
    }
  }

  @Test func boundsEncloseExactlyTheKeysTheyAreFor() throws {
    let random = SeededRandom(seed: 21)
    for _ in 0..<2000 {
      let key = try randomKey(random)
      let other = try randomKey(random)
      let row = ObjectSortKey.version(key, .null).bytes
      let prefix = other.bytes
      let first = ObjectSortKey.prefixBytes(.version, prefix)
      let end = ObjectSortKey.endOfPrefix(.version, prefix)
      let isInside =
        !row.lexicographicallyPrecedes(first) && row.lexicographicallyPrecedes(end)
      #expect(isInside == key.bytes.starts(with: prefix), "\(key.bytes) \(prefix)")
      let behind = ObjectSortKey.endOfKey(.version, prefix)
      #expect(
        row.lexicographicallyPrecedes(behind) == (key == other || key < other),
        "\(key.bytes) \(prefix)")
    }
  }

  @Test func whatIsNoSortKeyIsRefused() {
    for bytes: [UInt8] in [
      [], [1], [0, 0x61, 0, 0, 0], [4, 0x61, 0, 0, 0], [1, 0x61], [1, 0x61, 0], [1, 0x61, 0, 0],
      [1, 0x61, 0, 1, 0], [1, 0, 0, 0], [1, 0x61, 0, 0, 0, 0], [1, 0x61, 0, 0, 1, 2],
      [2, 0x61, 0, 0, 1], [3, 0x61, 0, 0] + Array(1...16), [1, 0xFF, 0, 0, 0],
    ] {
      #expect(ObjectSortKey(bytes) == nil, "\(bytes)")
    }
  }

  /// Short keys of few letters, zero among them: neighbours and prefixes are common.
  private func randomKey(_ random: SeededRandom) throws -> ObjectKey {
    let letters: [UInt8] = [0, 1, 0x61, 0x62]
    return try ObjectKey((0..<(1 + random.below(4))).map { _ in letters[random.below(4)] })
  }
}

@Suite struct ObjectKeyTests {
  @Test func aKeyIsOneTo1024BytesOfUTF8() {
    #expect(throws: ModelError.invalidKey) { try ObjectKey("") }
    #expect(throws: ModelError.invalidKey) { try ObjectKey([0xC3]) }
    #expect(throws: ModelError.keyTooLong) { try ObjectKey(String(repeating: "x", count: 1025)) }
    #expect(throws: Never.self) { try ObjectKey(String(repeating: "x", count: 1024)) }
    #expect(throws: Never.self) { try ObjectKey("a//../\0é🙂") }
  }
}
