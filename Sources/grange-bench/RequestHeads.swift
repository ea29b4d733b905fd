// Heads of requests, signed and ready to be sent.

import APICommon
import Base
import Codecs
import HTTP
import Reactor

/// Writes heads of requests.
struct HeadWriter {
  private let options: BenchmarkOptions
  private let signer: RequestSigner?

  init(_ options: BenchmarkOptions) {
    self.options = options
    signer =
      options.isSigned
      ? RequestSigner(
        accessKeyID: options.accessKey, secret: options.secretKey, region: options.region) : nil
  }

  /// The head of a request for object `number`.
  func head(_ operation: Operation, _ number: Int) -> [UInt8] {
    switch operation {
    case .put, .fill: head("PUT", key: key(number), bodyBytes: options.sizeBytes)
    case .get, .verify: head("GET", key: key(number))
    case .head: head("HEAD", key: key(number))
    case .delete: head("DELETE", key: key(number))
    case .list, .mixed: listHead(from: .before(number))
    }
  }

  /// Where a page of a listing begins.
  enum PagePosition {
    /// At the object of this number, or at the first there is.
    case before(Int)
    case token(String)
  }

  func listHead(from position: PagePosition) -> [UInt8] {
    var query = [
      FormField("list-type", "2"), FormField("max-keys", String(options.pageKeys)),
      FormField("prefix", options.prefix),
    ]
    if !options.delimiter.isEmpty { query.append(FormField("delimiter", options.delimiter)) }
    switch position {
    case .before(let number):
      if number > 0 { query.append(FormField("start-after", key(number - 1))) }
    case .token(let token): query.append(FormField("continuation-token", token))
    }
    return head("GET", query: query)
  }

  private func key(_ number: Int) -> String {
    let folder =
      options.keysPerFolder == 0 ? "" : Self.digits(number / options.keysPerFolder) + "/"
    return options.prefix + folder + Self.digits(number)
  }

  private static func digits(_ number: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 8 - digits.count)) + digits
  }

  private func head(
    _ method: String, key: String? = nil, query: [FormField] = [], bodyBytes: Int? = nil
  ) -> [UInt8] {
    let path = Array("/\(options.bucket)\(key.map { "/\($0)" } ?? "")".utf8)
    let fields = query.sorted { $0.name.lexicographicallyPrecedes($1.name) }
    var headers: HTTPHeaders = ["host": options.authority]
    signer?.sign(
      method: method, target: RequestTarget(path: path, query: fields), headers: &headers,
      at: SystemClock.wallNow)
    if let bodyBytes { headers.set("content-length", String(bodyBytes)) }
    let target =
      PercentCoding.encode(path, allowed: .unreservedAndSlash)
      + (fields.isEmpty ? "" : "?" + FormCoding.serialize(fields))
    var bytes = Array("\(method) \(target) HTTP/1.1\r\n".utf8)
    headers.withFieldLines { bytes += $0 }
    return bytes + "\r\n".utf8
  }
}

/// Heads of requests for objects, in one piece of memory.
struct RequestHeads {
  /// The objects that the heads are for.
  let numbers: [Int]
  private let memory: Memory
  private let ends: [Int]

  init(_ operation: Operation, _ numbers: [Int], _ writer: HeadWriter) {
    self.numbers = numbers
    var bytes: [UInt8] = []
    ends = numbers.map { number in
      bytes += writer.head(operation, number)
      return bytes.count
    }
    memory = Memory(byteCount: bytes.count)
    memory.bytes.copyBytes(from: bytes)
  }

  var count: Int { ends.count }

  subscript(index: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
      rebasing: memory.bytes[(index == 0 ? 0 : ends[index - 1])..<ends[index]])
  }
}
