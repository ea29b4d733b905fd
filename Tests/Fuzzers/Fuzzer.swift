// Checks of decoders against any input: what libFuzzer (scripts/fuzz) and FuzzTests feed.
//
// A fuzzer takes bytes, gives them to one decoder, and throws when a property does not hold: what was decoded
// encodes to the same bytes, pieces give what the whole gives, limits hold, an independent reader agrees.
// That nothing traps, hangs or touches memory of others shows by itself.

import Base
import HTTP
import SimulatedWorld

/// One decoder under attack.
package struct Fuzzer: Sendable {
  /// The name of its folder in Tests/Fuzzing/Corpus, and on command lines.
  package let name: String
  /// The files that it attacks, for the table of what the corpus covers.
  package let decoders: [String]
  /// How many changed inputs every run of the tests tries: 4,000 unless one takes milliseconds.
  package let changesMax: Int
  /// Throws `BrokenProperty`.
  package let check: @Sendable ([UInt8]) throws -> Void

  init(
    _ name: String, of decoders: [String], changesMax: Int = 4000,
    _ check: @escaping @Sendable ([UInt8]) throws -> Void
  ) {
    self.name = name
    self.decoders = decoders
    self.changesMax = changesMax
    self.check = check
  }

  /// All of them.
  package static let all: [Fuzzer] = [
    httpRequest, httpResponse, httpChunked, sigV4, awsChunked, s3Request, xml, json, toml,
    configuration, binary,
    rows, operations, blockFile, sortKeys, tokens, texts, encodedWords, clusterRecords, join,
    clusterState, layout, hello, frames, conversations, tableMessages,
  ]
}

/// What a decoder did that it must not do.
package struct BrokenProperty: Error, CustomStringConvertible {
  package let description: String
}

func require(_ holds: Bool, _ property: @autoclosure () -> String) throws(BrokenProperty) {
  if !holds { throw BrokenProperty(description: property()) }
}

/// Random choices that the input decides, so that a file of a corpus repeats them.
func choices(_ input: [UInt8]) -> SeededRandom {
  // FNV-1a.
  SeededRandom(seed: input.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 })
}

/// Calls `body` with memory that ends where `bytes` end, so that AddressSanitizer sees who reads on.
func withExactBytes<Result, Failure: Error>(
  _ bytes: some Collection<UInt8>, _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
) throws(Failure) -> Result {
  let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
  defer { memory.deallocate() }
  memory.copyBytes(from: bytes)
  return try body(memory)
}

/// The pieces of `bytes` between cuts that `random` chooses; small ones every other time.
func pieces(_ bytes: [UInt8], _ random: SeededRandom) -> [ArraySlice<UInt8>] {
  let countMax = random.below(2) == 0 ? 4 : max(1, bytes.count)
  var pieces: [ArraySlice<UInt8>] = []
  var start = 0
  while start < bytes.count {
    let end = min(bytes.count, start + 1 + random.below(max(1, bytes.count / countMax * 2 + 1)))
    pieces.append(bytes[start..<end])
    start = end
  }
  return pieces
}

/// The fields of a message: names in lower case, and values byte for byte.
func fields(of headers: HTTPHeaders) -> [(name: String, value: [UInt8])] {
  var fields: [(name: String, value: [UInt8])] = []
  headers.visitFields { name, value in fields.append((name.text, Array(value))) }
  return fields
}

func hex(_ bytes: some Collection<UInt8>) -> String { Hex.encode(bytes) }
