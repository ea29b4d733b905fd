// A random source that a test can replay from the seed that its failure prints.

import Base
import Synchronization

/// SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators").
final class Seeded: RandomSource {
  private let state: Atomic<UInt64>

  init(_ seed: UInt64) { state = Atomic(seed) }

  func next() -> UInt64 {
    var word = state.wrappingAdd(0x9E37_79B9_7F4A_7C15, ordering: .relaxed).newValue
    word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
    return word ^ (word >> 31)
  }

  /// `true` once in `count` times.
  func oneIn(_ count: Int) -> Bool { below(count) == 0 }

  /// One of `choices`, which must not be empty.
  func pick<Choices: RandomAccessCollection>(_ choices: Choices) -> Choices.Element {
    choices[choices.index(choices.startIndex, offsetBy: below(choices.count))]
  }

  /// A number of random magnitude, so that small and large ones both turn up.
  func magnitude() -> UInt64 { next() >> UInt64(below(64)) }

  /// Text of up to `count` characters from a few difficult scripts.
  func text(upTo count: Int) -> String {
    let alphabet: [Character] = [
      "a", "Z", "0", " ", "\"", "\\", "/", "\n", "\r", "\t", "\0", "\u{1}", "\u{7F}", "é", "ß", "漢",
      "🦊", "e\u{301}", "<", "&", ">", "'", "]", "%", "+", "=", "#", "{", "}", ".", "-",
    ]
    return String((0..<below(count + 1)).map { _ in pick(alphabet) })
  }

  /// `bytes` with a few random changes: flips, removals, insertions, repeats.
  func mutated(_ bytes: [UInt8], with alphabet: [UInt8] = []) -> [UInt8] {
    var result = bytes
    for _ in 0...below(4) {
      let position = below(result.count + 1)
      let byte = alphabet.isEmpty || oneIn(3) ? UInt8(truncatingIfNeeded: next()) : pick(alphabet)
      switch below(5) {
      case 0 where position < result.count: result[position] = byte
      case 1 where position < result.count: result.remove(at: position)
      case 2: result.insert(byte, at: position)
      case 3: result.removeLast(min(result.count, below(8)))
      default:
        let end = min(result.count, position + below(16))
        result.insert(contentsOf: result[position..<end], at: position)
      }
    }
    return result
  }
}
