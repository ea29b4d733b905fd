// Heads of requests and responses: one outcome however the bytes arrive, one reading only.

import Base
import HTTP
import SimulatedWorld

private let limits = HeadLimits(headMaxBytes: 1024, fieldCountMax: 16)

/// All that a parser says about a head.
private struct HeadFacts: Equatable {
  var start: [String]
  var fields: [String]
  var values: [[UInt8]]
  var framing: BodyFraming
  var flags: [Bool]
  var byteCount: Int

  init(
    start: [String], _ headers: HTTPHeaders, _ framing: BodyFraming, _ flags: [Bool],
    _ byteCount: Int
  ) {
    self.start = start
    let all = Fuzzers.fields(of: headers)
    fields = all.map(\.name)
    values = all.map(\.value)
    self.framing = framing
    self.flags = flags
    self.byteCount = byteCount
  }
}

private enum HeadOutcome: Equatable {
  case incomplete
  case rejected(HTTPRejection)
  case complete(HeadFacts)
}

/// Feeds `bytes` up to each end of a piece to `parse`.
private func outcome(
  _ bytes: [UInt8], _ pieces: [ArraySlice<UInt8>],
  _ parse: (UnsafeRawBufferPointer) throws -> HeadFacts?
) -> HeadOutcome {
  do {
    for piece in pieces {
      if let facts = try withExactBytes(
        bytes[..<piece.endIndex], { try parse(UnsafeRawBufferPointer($0)) })
      {
        return .complete(facts)
      }
    }
    return .incomplete
  } catch {
    return (error as? HTTPRejection).map { .rejected($0) } ?? .incomplete
  }
}

private func requestOutcome(_ bytes: [UInt8], _ pieces: [ArraySlice<UInt8>]) -> HeadOutcome {
  var parser = RequestParser(limits: limits)
  return outcome(bytes, pieces) { bytes in
    guard let request = try parser.parse(bytes) else { return nil }
    return HeadFacts(
      start: [request.head.method, request.head.target, "\(request.head.minorVersion)"],
      request.head.headers, request.framing, [request.persists, request.expectsContinue],
      request.byteCount)
  }
}

private func responseOutcome(
  _ bytes: [UInt8], _ pieces: [ArraySlice<UInt8>], answersHead: Bool
) -> HeadOutcome {
  var parser = ResponseParser(limits: limits, answersHead: answersHead)
  return outcome(bytes, pieces) { bytes in
    guard let response = try parser.parse(bytes) else { return nil }
    return HeadFacts(
      start: ["\(response.head.status)", "\(response.head.minorVersion)"], response.head.headers,
      response.framing, [response.persists], response.byteCount)
  }
}

/// What holds of every head that was taken.
private func checkFields(_ facts: HeadFacts) throws {
  try require(facts.byteCount <= limits.headMaxBytes, "a head above the limit")
  try require(facts.fields.count <= limits.fieldCountMax, "more fields than the limit")
  for name in facts.fields {
    try require(!name.isEmpty && name.utf8.allSatisfy(isTokenCharacter), "a name that is no token")
  }
  for value in facts.values {
    let isClean = value.allSatisfy { $0 == 9 || ($0 >= 0x20 && $0 != 0x7F) }
    try require(isClean, "a control character in a value")
    let ends = [value.first, value.last]
    try require(!ends.contains(0x20) && !ends.contains(9), "white space around a value")
  }
}

/// Compares the framing with one that is read from the fields independently.
private func checkFraming(_ facts: HeadFacts, minorVersion: String) throws {
  let lengths = values("content-length", facts)
  let codings = values("transfer-encoding", facts)
  switch facts.framing {
  case .length(let length):
    try require(
      lengths.count == 1 && codings.isEmpty && lengths[0].utf8.allSatisfy { (48...57).contains($0) }
        && UInt64(lengths[0]) == length, "a length that no field gives")
  case .chunked:
    let elements = codings.joined(separator: ",").split(separator: ",")
      .map { $0.split { $0 == " " || $0 == "\t" }.joined(separator: " ").lowercased() }
      .filter { !$0.isEmpty }
    try require(
      lengths.isEmpty && elements == ["chunked"] && minorVersion == "1",
      "chunks that no field announces")
  case .none, .untilClose: break
  }
}

private func values(_ name: String, _ facts: HeadFacts) -> [String] {
  zip(facts.fields, facts.values).filter { $0.0 == name }
    .map { String(decoding: $0.1, as: UTF8.self) }
}

extension Fuzzer {
  static let httpRequest = Fuzzer(
    "http-request",
    of: [
      "HTTP/HeadParser", "HTTP/RequestParser", "HTTP/MessageFraming", "HTTP/HTTPHead",
      "HTTP/HTTPHeaders",
      "HTTP/Grammar",
    ]
  ) { input in
    let whole = requestOutcome(input, [input[...]])
    let split = requestOutcome(input, pieces(input, choices(input)))
    try require(input.isEmpty || split == whole, "pieces: \(split), whole: \(whole)")
    if case .rejected(let rejection) = whole {
      try require((400...599).contains(rejection.status), "status \(rejection.status)")
    }
    guard case .complete(let facts) = whole else { return }
    try checkFields(facts)
    try checkFraming(facts, minorVersion: facts.start[2])
    if facts.framing == .none {
      try require(
        values("content-length", facts).isEmpty && values("transfer-encoding", facts).isEmpty,
        "a body that nobody reads")
    }
    let hosts = values("host", facts).count
    try require(hosts == 1 || (hosts == 0 && facts.start[2] == "0"), "\(hosts) hosts")
    try checkHead(facts)
  }

  /// The parts of the head that are read later, and the head written and parsed again.
  private static func checkHead(_ facts: HeadFacts) throws {
    var headers = HTTPHeaders()
    for (name, value) in zip(facts.fields, facts.values) {
      try require(headers.append(name, valueBytes: value), "a name that cannot be sent")
    }
    let head = HTTPRequestHead(method: facts.start[0], target: facts.start[1], headers: headers)
    if head.target.hasPrefix("/") {
      let whole = head.path + (head.query.map { "?" + $0 } ?? "")
      try require(whole == head.target, "path and query are not the target")
    }
    var bytes = Array("\(facts.start[0]) \(facts.start[1]) HTTP/1.\(facts.start[2])\r\n".utf8)
    headers.withFieldLines { bytes += $0 }
    bytes += "\r\n".utf8
    guard bytes.count <= limits.headMaxBytes else { return }
    var expected = facts
    expected.byteCount = bytes.count
    let again = requestOutcome(bytes, [bytes[...]])
    try require(again == .complete(expected), "written and parsed again: \(again)")
    for name in Set(facts.fields) {
      try require(headers.all(name).count == values(name, facts).count, "fields by name")
      try require(
        headers.withValue(name) { Array($0) } == first(name, facts), "the first field by name")
      var fewer = headers
      fewer.remove(name)
      try require(
        !fewer.contains(name) && !fewer.lists("close", in: name), "a field was not removed")
      fewer.set(name, "a")
      try require(fewer[name] == "a", "a field was not set")
    }
    try require(
      headers.lists("close", in: "connection") == !facts.flags[0]
        || facts.start[2] == "0", "persistence")
  }

  private static func first(_ name: String, _ facts: HeadFacts) -> [UInt8]? {
    facts.fields.firstIndex(of: name).map { facts.values[$0] }
  }

  static let httpResponse = Fuzzer(
    "http-response", of: ["HTTP/ResponseParser"]
  ) { input in
    for answersHead in [false, true] {
      let whole = responseOutcome(input, [input[...]], answersHead: answersHead)
      let split = responseOutcome(input, pieces(input, choices(input)), answersHead: answersHead)
      try require(input.isEmpty || split == whole, "pieces: \(split), whole: \(whole)")
      guard case .complete(let facts) = whole else { continue }
      try checkFields(facts)
      try checkFraming(facts, minorVersion: facts.start[1])
      try require((100...599).contains(Int(facts.start[0]) ?? 0), "status \(facts.start[0])")
      let hasBody = facts.framing != .none
      let mayHave =
        !answersHead && !["204", "304"].contains(facts.start[0]) && facts.start[0] >= "200"
      try require(hasBody == mayHave, "a body where there is none, or none where there is one")
    }
  }
}
