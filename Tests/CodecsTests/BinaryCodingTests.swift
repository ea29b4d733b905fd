import Base
import Codecs
import Testing

@Suite struct BinaryCodingTests {
  private func written(_ write: (inout BinaryWriter) -> Void) -> [UInt8] {
    var writer = BinaryWriter()
    write(&writer)
    return writer.bytes
  }

  @Test func writesTheBytesOfTheFormatPage() {
    #expect(written { $0.u8(7) } == [7])
    #expect(written { $0.u16(0x0102) } == [1, 2])
    #expect(written { $0.u32(0x0102_0304) } == [1, 2, 3, 4])
    #expect(written { $0.u64(0x0102_0304_0506_0708) } == [1, 2, 3, 4, 5, 6, 7, 8])
    #expect(written { $0.bool(true) } == [1])
    #expect(written { $0.varint(0) } == [0])
    #expect(written { $0.varint(127) } == [0x7F])
    #expect(written { $0.varint(128) } == [0x80, 1])
    #expect(written { $0.varint(300) } == [0xAC, 2])
    #expect(written { $0.varint(.max) } == [UInt8](repeating: 0xFF, count: 9) + [1])
    #expect(written { $0.signed(-1) } == [1])
    #expect(written { $0.signed(1) } == [2])
    #expect(written { $0.signed(.min) } == [UInt8](repeating: 0xFF, count: 9) + [1])
    #expect(written { $0.string("é") } == [2, 0xC3, 0xA9])
    #expect(written { $0.optional(UInt16(7)) { $0.u16($1) } } == [1, 0, 7])
    #expect(written { $0.optional(UInt16?.none) { $0.u16($1) } } == [0])
    #expect(written { $0.list([1, 2] as [UInt8]) { $0.u8($1) } } == [2, 1, 2])
    #expect(written { $0.nested { $0.u16(1) } } == [2, 0, 1])
    let long = written { $0.nested { $0.raw([UInt8](repeating: 9, count: 300)) } }
    #expect(long == [0xAC, 2] + [UInt8](repeating: 9, count: 300))
    let id = UploadID(high: 1, low: 2)
    #expect(written { $0.id(id) } == id.bytes)
  }

  @Test(
    arguments: [
      [0x80, 0], [0xFF, 0x80, 0], [UInt8](repeating: 0xFF, count: 9) + [2],
      [UInt8](repeating: 0xFF, count: 9) + [0x81, 0], [UInt8](repeating: 0x80, count: 9) + [0],
    ] as [[UInt8]])
  func refusesVarintsWrittenInAnotherWay(bytes: [UInt8]) {
    #expect(throws: BinaryError.notCanonical) {
      try BinaryReader.read(bytes) { reader throws(BinaryError) in try reader.varint() }
    }
  }

  @Test func refusesWhatTheFormatDoesNotAllow() {
    func failure<Value>(
      _ bytes: [UInt8], _ read: (inout BinaryReader) throws(BinaryError) -> Value
    ) -> BinaryError? {
      do {
        _ = try BinaryReader.read(bytes, read)
        return nil
      } catch {
        return error
      }
    }
    #expect(failure([2]) { reader throws(BinaryError) in try reader.bool() } == .notCanonical)
    #expect(failure([]) { reader throws(BinaryError) in try reader.u8() } == .truncated)
    #expect(failure([1]) { reader throws(BinaryError) in try reader.u16() } == .truncated)
    #expect(failure([0x80]) { reader throws(BinaryError) in try reader.varint() } == .truncated)
    #expect(
      failure([3, 1]) { reader throws(BinaryError) in try reader.bytes(max: 9) } == .truncated)
    #expect(
      failure([3, 1]) { reader throws(BinaryError) in try reader.bytes(max: 2) } == .overLimit)
    #expect(
      failure([1, 0xFF]) { reader throws(BinaryError) in try reader.string(max: 9) } == .invalidUTF8
    )
    #expect(
      failure([2, 9]) { reader throws(BinaryError) in try reader.version(upTo: 1) }
        == .unknownVersion(2))
    #expect(
      failure([0]) { reader throws(BinaryError) in try reader.expectEnd() } == .unexpectedBytes)
    #expect(
      failure([0xFF, 0xFF, 0xFF, 0xFF, 0x0F]) { reader throws(BinaryError) in
        try reader.list(max: .max) { reader throws(BinaryError) in try reader.u8() }
      } == .truncated)
    #expect(
      failure([1, 1, 2]) { reader throws(BinaryError) in
        try reader.nested(max: 9) { reader throws(BinaryError) in try reader.u16() }
      } == .truncated)
  }

  /// A record of version 1 with one field, as an older program knows it.
  private struct Known {
    var number: UInt64
    var trailing: [UInt8]

    init(_ bytes: [UInt8]) throws(BinaryError) {
      (number, trailing) = try BinaryReader.read(bytes) { reader throws(BinaryError) in
        _ = try reader.version(upTo: 1)
        return (try reader.varint(), reader.remaining())
      }
    }

    var encoded: [UInt8] {
      var writer = BinaryWriter()
      writer.version(1)
      writer.varint(number)
      writer.raw(trailing)
      return writer.bytes
    }
  }

  @Test func keepsFieldsOfANewerProgram() throws {
    let newer = written {
      $0.version(1)
      $0.varint(42)
      $0.string("a field of tomorrow")
    }
    var record = try Known(newer)
    #expect(record.encoded == newer)
    record.number = 43
    #expect(record.encoded == [1, 43] + newer.dropFirst(2))
  }
}

/// One value of each kind of the coding.
private enum Value: Equatable {
  case u8(UInt8)
  case u16(UInt16)
  case u32(UInt32)
  case u64(UInt64)
  case bool(Bool)
  case varint(UInt64)
  case signed(Int64)
  case bytes([UInt8])
  case string(String)
  case id(BucketID)
  case optional(UInt64?)
  case list([UInt64])
  indirect case nested(Value)

  init(_ random: Seeded, depth: Int = 0) {
    switch random.below(depth < 3 ? 13 : 12) {
    case 0: self = .u8(UInt8(truncatingIfNeeded: random.next()))
    case 1: self = .u16(UInt16(truncatingIfNeeded: random.next()))
    case 2: self = .u32(UInt32(truncatingIfNeeded: random.next()))
    case 3: self = .u64(random.magnitude())
    case 4: self = .bool(random.oneIn(2))
    case 5: self = .varint(random.magnitude())
    case 6: self = .signed(Int64(bitPattern: random.next()) >> Int64(random.below(64)))
    case 7: self = .bytes(random.bytes(random.below(300)))
    case 8: self = .string(random.text(upTo: 90))
    case 9: self = .id(BucketID(random: random))
    case 10: self = .optional(random.oneIn(2) ? nil : random.magnitude())
    case 11: self = .list((0..<random.below(20)).map { _ in random.magnitude() })
    default: self = .nested(Value(random, depth: depth + 1))
    }
  }

  func write(to writer: inout BinaryWriter) {
    switch self {
    case .u8(let value): writer.u8(value)
    case .u16(let value): writer.u16(value)
    case .u32(let value): writer.u32(value)
    case .u64(let value): writer.u64(value)
    case .bool(let value): writer.bool(value)
    case .varint(let value): writer.varint(value)
    case .signed(let value): writer.signed(value)
    case .bytes(let value): writer.bytes(value)
    case .string(let value): writer.string(value)
    case .id(let value): writer.id(value)
    case .optional(let value): writer.optional(value) { $0.varint($1) }
    case .list(let value): writer.list(value) { $0.varint($1) }
    case .nested(let value): writer.nested { value.write(to: &$0) }
    }
  }

  /// The value that `reader` has at this place, of this value's kind.
  func readAgain(from reader: inout BinaryReader) throws(BinaryError) -> Value {
    switch self {
    case .u8: .u8(try reader.u8())
    case .u16: .u16(try reader.u16())
    case .u32: .u32(try reader.u32())
    case .u64: .u64(try reader.u64())
    case .bool: .bool(try reader.bool())
    case .varint: .varint(try reader.varint())
    case .signed: .signed(try reader.signed())
    case .bytes: .bytes(try reader.bytes(max: 400))
    case .string: .string(try reader.string(max: 4000))
    case .id: .id(try reader.id())
    case .optional:
      .optional(try reader.optional { reader throws(BinaryError) in try reader.varint() })
    case .list:
      .list(try reader.list(max: 40) { reader throws(BinaryError) in try reader.varint() })
    case .nested(let value):
      .nested(
        try reader.nested(max: 5000) { reader throws(BinaryError) in
          try value.readAgain(from: &reader)
        })
    }
  }
}

@Suite struct BinaryCodingPropertyTests {
  @Test(arguments: 0..<300 as Range<UInt64>)
  func readsBackWhatWasWritten(seed: UInt64) throws {
    let random = Seeded(seed)
    let values = (0..<random.below(30)).map { _ in Value(random) }
    var writer = BinaryWriter()
    for value in values { value.write(to: &writer) }
    try BinaryReader.read(writer.bytes) { reader throws(BinaryError) in
      for value in values {
        let again = try value.readAgain(from: &reader)
        #expect(again == value)
      }
      try reader.expectEnd()
    }
  }

  /// Whatever the bytes are: an error, or a value whose encoding is those bytes.
  @Test(arguments: 0..<300 as Range<UInt64>)
  func acceptsOnlyTheCanonicalEncoding(seed: UInt64) {
    let random = Seeded(seed)
    for _ in 0..<50 {
      let value = Value(random)
      var writer = BinaryWriter()
      value.write(to: &writer)
      let bytes = random.mutated(writer.bytes, with: [0, 1, 2, 0x7F, 0x80, 0xFF])
      BinaryReader.read(bytes) { reader in
        guard let read = try? value.readAgain(from: &reader) else { return }
        var again = BinaryWriter()
        read.write(to: &again)
        #expect(again.bytes + reader.remaining() == bytes)
      }
    }
  }
}
