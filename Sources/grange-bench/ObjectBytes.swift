// The content of objects: random, and known again from prefix, size and number alone, so that one run can
// check what another stored.

/// The content of all objects of a run.
///
/// Each body is a slice of one buffer of random bytes, at an offset of its own, so that neither compression nor
/// the recognition of equal blocks finds anything. After 2^20 objects contents repeat.
struct ObjectBytes {
  private let memory: Memory
  private let sizeBytes: Int

  /// A block of the store: two slices a whole number of blocks apart would have blocks in common.
  private static let offsetMax = 1 << 20

  init(prefix: String, sizeBytes: Int) {
    self.sizeBytes = sizeBytes
    memory = Memory(byteCount: (sizeBytes + Self.offsetMax + 7) & ~7)
    var random = SmallRandom(seed: Self.seed(prefix, sizeBytes))
    for word in 0..<(memory.bytes.count / 8) {
      memory.bytes.storeBytes(of: random.next(), toByteOffset: word * 8, as: UInt64.self)
    }
  }

  /// The content of object `number`.
  func body(_ number: Int) -> UnsafeRawBufferPointer {
    // Odd, so that it takes 2^20 steps to come back to the same offset.
    let offset = number &* 104_729 & (Self.offsetMax - 1)
    return UnsafeRawBufferPointer(rebasing: memory.bytes[offset..<(offset + sizeBytes)])
  }

  /// FNV-1a.
  private static func seed(_ prefix: String, _ sizeBytes: Int) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in "\(prefix) \(sizeBytes)".utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return hash
  }
}

/// SplitMix64: fast, and the same in each run.
struct SmallRandom {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = state
    word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
    return word ^ (word >> 31)
  }

  mutating func below(_ count: Int) -> Int {
    Int(truncatingIfNeeded: next().multipliedFullWidth(by: UInt64(count)).high)
  }
}
