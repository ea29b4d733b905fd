import CShims
import Crypto
import Testing

/// A small generator with a seed (splitmix64), so that a failure can be replayed.
struct SeededNumbers: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

@Suite struct ChecksumTests {
  /// The check values of the catalogue of parametrised CRC algorithms (CRC-32/ISO-HDLC, CRC-32/ISCSI,
  /// CRC-64/NVME) for "123456789".
  @Test func matchThePublishedCheckValues() {
    let digits = Array("123456789".utf8)
    #expect(CRC32.checksum(digits) == 0xCBF4_3926)
    #expect(CRC32C.checksum(digits) == 0xE306_9283)
    #expect(CRC64NVME.checksum(digits) == 0xAE8B_1486_0A79_9888)
    #expect(CRC32.checksum([]) == 0)
    #expect(CRC64NVME.checksum([]) == 0)
  }

  /// RFC 3720, B.4: 32 bytes of zeros, of ones, and 0...31.
  @Test func matchesRFC3720() {
    #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(CRC32C.checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(CRC32C.checksum((0..<32).map { UInt8($0) }) == 0x46DD_794E)
  }

  @Test func goOnFromAKnownValue() {
    let message = (0..<500).map { UInt8(truncatingIfNeeded: $0) }
    var first = CRC64NVME()
    message[..<123].withUnsafeBytes { first.update($0) }
    var rest = CRC64NVME(resuming: first.value)
    message[123...].withUnsafeBytes { rest.update($0) }
    #expect(rest.value == CRC64NVME.checksum(message))
  }
}

@Suite struct ChecksumPropertyTests {
  private static let kinds = [CSHIMS_CRC32, CSHIMS_CRC32C, CSHIMS_CRC64NVME]

  /// Every length from 0 to 300 at every alignment modulo 16, from a random state, and some long ones.
  @Test func everyWayGivesThePortableResult() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var numbers = SeededNumbers(state: seed)
    let bytes = (0..<70_000).map { _ in UInt8(truncatingIfNeeded: numbers.next()) }
    var compared = 0
    bytes.withUnsafeBytes { bytes in
      for kind in Self.kinds {
        for count in Array(0...300) + [1023, 1024, 4096, 65_535, 65_536] {
          for start in 0..<16 {
            compared += compareWays(
              kind, UnsafeRawBufferPointer(rebasing: bytes[start..<start + count]),
              state: kind == CSHIMS_CRC64NVME ? numbers.next() : numbers.next() >> 32, seed: seed)
          }
        }
      }
    }
    #expect(compared > 0)
  }

  private func compareWays(
    _ kind: cshims_crc_kind, _ bytes: UnsafeRawBufferPointer, state: UInt64, seed: UInt64
  ) -> Int {
    var expected = state
    _ = cshims_crc_path(kind, CSHIMS_CRC_PORTABLE, &expected, bytes.baseAddress, bytes.count)
    var compared = 0
    for way in [CSHIMS_CRC_INSTRUCTION, CSHIMS_CRC_FOLDING] {
      var value = state
      guard cshims_crc_path(kind, way, &value, bytes.baseAddress, bytes.count) == 1 else {
        continue
      }
      compared += 1
      #expect(value == expected, "kind \(kind), way \(way), \(bytes.count) bytes, seed \(seed)")
    }
    let chosen = cshims_crc(kind, state, bytes.baseAddress, bytes.count)
    #expect(chosen == expected, "kind \(kind), \(bytes.count) bytes, seed \(seed)")
    return compared
  }

  @Test func theCombinedChecksumIsThatOfTheJoinedBytes() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var numbers = SeededNumbers(state: seed)
    for _ in 0..<200 {
      let first = randomBytes(&numbers), second = randomBytes(&numbers)
      let count = UInt64(second.count)
      #expect(
        CRC32.combine(CRC32.checksum(first), CRC32.checksum(second), secondBytes: count)
          == CRC32.checksum(first + second), "seed \(seed)")
      #expect(
        CRC32C.combine(CRC32C.checksum(first), CRC32C.checksum(second), secondBytes: count)
          == CRC32C.checksum(first + second), "seed \(seed)")
      #expect(
        CRC64NVME.combine(
          CRC64NVME.checksum(first), CRC64NVME.checksum(second), secondBytes: count)
          == CRC64NVME.checksum(first + second), "seed \(seed)")
    }
  }

  private func randomBytes(_ numbers: inout SeededNumbers) -> [UInt8] {
    (0..<Int(numbers.next() % 2000)).map { _ in UInt8(truncatingIfNeeded: numbers.next()) }
  }
}
