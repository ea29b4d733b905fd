// What CI does of fuzzing: the committed inputs, and changes of them, against every fuzzer.
//
// libFuzzer needs a build of its own, with coverage and AddressSanitizer (scripts/fuzz). Here the same checks run in
// the build that all tests share, which stays optimised code: inputs that once broke something stay mended.

import Base
import FoundationEssentials
import Fuzzers
import SimulatedWorld
import Testing

@Suite struct CorpusFuzzTests {
  /// The folder of a fuzzer's inputs.
  private static func folder(_ name: String) -> String {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2)
    return root.joined(separator: "/") + "/Fuzzing/Corpus/" + name
  }

  private static func inputs(_ name: String) throws -> [(name: String, bytes: [UInt8])] {
    let folder = folder(name)
    return try FileManager.default.contentsOfDirectory(atPath: folder).sorted().map {
      ($0, Array(try Data(contentsOf: URL(filePath: folder + "/" + $0))))
    }
  }

  @Test(arguments: Fuzzer.all.map(\.name))
  func everyInputHolds(name: String) throws {
    let fuzzer = try #require(Fuzzer.all.first { $0.name == name })
    let inputs = try Self.inputs(name)
    #expect(!inputs.isEmpty, "no inputs")
    for input in inputs + [("empty", [])] {
      #expect(throws: Never.self, "\(name)/\(input.name)") { try fuzzer.check(input.bytes) }
    }
  }

  /// The same changes in every run, so that no submission fails for what it did not do: what is new, scripts/fuzz finds.
  private static let seed: UInt64 = 1

  @Test(arguments: Fuzzer.all.map(\.name))
  func changedInputsHold(name: String) throws {
    let fuzzer = try #require(Fuzzer.all.first { $0.name == name })
    let inputs = try Self.inputs(name).map(\.bytes)
    let random = SeededRandom(seed: Self.seed)
    for count in 0..<fuzzer.changesMax {
      let bytes = changed(inputs, random)
      do {
        try fuzzer.check(bytes)
      } catch {
        Issue.record("\(name), change \(count): \(error): \(bytes)")
        return
      }
    }
  }

  /// One of the inputs with some bytes changed, and parts of another in it.
  private func changed(_ inputs: [[UInt8]], _ random: SeededRandom) -> [UInt8] {
    var bytes = inputs[random.below(inputs.count)]
    for _ in 0...random.below(5) {
      let place = random.below(bytes.count + 1)
      switch random.below(6) {
      case 0 where place < bytes.count: bytes[place] ^= UInt8(1 << random.below(8))
      case 1 where place < bytes.count: bytes[place] = UInt8(random.below(256))
      case 2: bytes.insert(UInt8(random.below(256)), at: place)
      case 3: bytes.removeSubrange(place..<min(bytes.count, place + random.below(9)))
      case 4:
        let end = min(bytes.count, place + random.below(40))
        bytes.insert(contentsOf: bytes[place..<end], at: random.below(bytes.count + 1))
      default:
        let other = inputs[random.below(inputs.count)]
        let start = random.below(other.count + 1)
        bytes.insert(
          contentsOf: other[start..<min(other.count, start + random.below(40))], at: place)
      }
    }
    return bytes
  }
}
