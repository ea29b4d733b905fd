// One unit of concurrency: sends a request, waits for the whole answer, sends the next.

import APICommon
import Base
import Codecs
import HTTP

/// What all workers share.
struct Workload: Sendable {
  let options: BenchmarkOptions
  let client: HTTPClient
  let signer: RequestSigner
  let runtime: any Runtime
  /// Random bytes; each body is a slice of it, so that no two objects are alike.
  let bytes: [UInt8]

  /// Bodies begin anywhere in the first part of the buffer.
  private static let offsetMax = 1 << 16

  init(_ options: BenchmarkOptions, client: HTTPClient, runtime: any Runtime) {
    self.options = options
    self.client = client
    self.runtime = runtime
    signer = RequestSigner(
      accessKeyID: options.accessKey, secret: options.secretKey, region: options.region)
    let isWriting = options.operation == .put
    bytes = isWriting ? runtime.random.bytes(options.sizeBytes + Self.offsetMax) : []
  }

  func key(_ number: Int) -> String {
    let digits = String(number)
    return options.prefix + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
  }

  func body(_ number: Int) -> [UInt8] {
    let offset = number &* 7919 & (Self.offsetMax - 1)
    return Array(bytes[offset..<(offset + options.sizeBytes)])
  }
}

struct Worker: Sendable {
  let workload: Workload
  /// Which of the workers this is: puts and deletes share the keys out between them.
  let index: Int

  /// Larger than any listing; objects are read in pieces and not kept.
  private static let pieceBytes = 256 << 10

  /// Works until `end`.
  func run(until end: MonotonicInstant) async -> LatencyRecorder {
    var recorder = LatencyRecorder()
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.pieceBytes, alignment: 16)
    defer { piece.deallocate() }
    var turn = index
    var token: String?
    while workload.runtime.now < end {
      let number = choose(turn: turn)
      turn += workload.options.concurrency
      if workload.options.operation == .delete, turn > workload.options.objectCount { break }
      let start = workload.runtime.now
      do {
        token = try await one(number, after: token, piece)
        recorder.record(workload.runtime.now - start)
      } catch {
        recorder.recordError("\(error)")
        token = nil
      }
    }
    return recorder
  }

  private func choose(turn: Int) -> Int {
    let count = workload.options.objectCount
    switch workload.options.operation {
    case .put, .delete: return turn % count
    case .get, .head, .list: return workload.runtime.random.below(count)
    }
  }

  /// One request; for a listing returns the last key of the page, from which the next one goes on.
  private func one(
    _ number: Int, after token: String?, _ piece: UnsafeMutableRawBufferPointer
  ) async throws -> String? {
    let options = workload.options
    switch options.operation {
    case .put:
      _ = try await send("PUT", key: workload.key(number), body: workload.body(number), piece)
    case .get: _ = try await send("GET", key: workload.key(number), piece)
    case .head: _ = try await send("HEAD", key: workload.key(number), piece)
    case .delete: _ = try await send("DELETE", key: workload.key(number), piece)
    case .list:
      var query = [FormField("list-type", "2"), FormField("max-keys", String(options.sizeBytes))]
      if let token { query.append(FormField("start-after", token)) }
      return lastKey(in: try await send("GET", query: query, keeping: true, piece))
    }
    return nil
  }

  /// Sends a signed request and reads the answer to its end.
  private func send(
    _ method: String, key: String? = nil, query: [FormField] = [], body: [UInt8] = [],
    keeping: Bool = false, _ piece: UnsafeMutableRawBufferPointer
  ) async throws -> [UInt8] {
    let options = workload.options
    let path = Array("/\(options.bucket)\(key.map { "/\($0)" } ?? "")".utf8)
    var headers: HTTPHeaders = ["host": options.authority]
    let fields = query.sorted { $0.name.lexicographicallyPrecedes($1.name) }
    workload.signer.sign(
      method: method, target: RequestTarget(path: path, query: fields), headers: &headers,
      at: workload.runtime.wallNow)
    let target =
      PercentCoding.encode(path, allowed: .unreservedAndSlash)
      + (fields.isEmpty ? "" : "?" + FormCoding.serialize(fields))
    let response = try await workload.client.request(
      method, options.endpoint, target, headers: headers, body: .bytes(body))
    var kept: [UInt8] = []
    while true {
      let count = try await response.read(into: piece)
      if count == 0 { break }
      if keeping || response.status >= 300 { kept += piece[..<count] }
    }
    guard response.status < 300 else {
      throw OptionError(message: "\(response.status) \(String(decoding: kept, as: UTF8.self))")
    }
    return kept
  }

  /// The last key of a page, or `nil` after the last page.
  ///
  /// Searched from the end, byte by byte: to parse the page would measure this program.
  private func lastKey(in page: [UInt8]) -> String? {
    guard let end = lastIndex(of: "</Key>", in: page[...]),
      let start = lastIndex(of: "<Key>", in: page[..<end]),
      lastIndex(of: "<IsTruncated>true", in: page[...]) != nil
    else { return nil }
    return String(decoding: page[(start + 5)..<end], as: UTF8.self)
  }

  private func lastIndex(of text: StaticString, in bytes: ArraySlice<UInt8>) -> Int? {
    let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    var index = bytes.endIndex - wanted.count
    while index >= bytes.startIndex {
      if bytes[index] == wanted[0], bytes[index..<(index + wanted.count)].elementsEqual(wanted) {
        return index
      }
      index -= 1
    }
    return nil
  }
}
