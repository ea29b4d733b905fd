// The operations that workloads use, each a request of `SimulatedS3Client`.
//
// An object's bytes are made from a short text, its *value*, which travels as user metadata too: an object that was put
// together from two writes is found at once.

import Base
import Codecs
import HTTP

/// The bytes of an object with a value.
enum ObjectBody {
  private static let header = "x-amz-meta-value"
  static let inlineMaxBytes = 8 << 10

  /// The bytes: mostly few, sometimes about as many as lie in a row, or more, if there may be blocks.
  static func bytes(_ value: String, isLargeAllowed: Bool) -> [UInt8] {
    let unit = Array("\(value);".utf8)
    // Of the value alone: who reads must come to the same.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in unit { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    let random = Int(truncatingIfNeeded: (hash >> 20) & 0xFFFF)
    let count =
      switch random % 20 {
      case 0 where isLargeAllowed: inlineMaxBytes + random
      case 0, 1: inlineMaxBytes - unit.count
      default: unit.count + random % 200
      }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + unit.count)
    while bytes.count < count { bytes += unit }
    return bytes
  }

  static func headers(_ value: String) -> HTTPHeaders {
    var headers = HTTPHeaders()
    headers.append(header, value)
    return headers
  }

  /// The value of an object by its head.
  static func value(of answer: S3Answer) -> String? { answer.headers[header] }
}

/// What a read found.
enum ObjectState: Sendable, Equatable {
  case value(String)
  case absent
  /// The bytes are not those of the value, or there is none.
  case torn(String)
}

extension SimulatedS3Client {
  func createBucket(_ bucket: String, on node: SimulatedNode) async -> S3Outcome<Void> {
    await send("PUT", to: node, "/\(bucket)").map { _ in }
  }

  func deleteBucket(_ bucket: String, on node: SimulatedNode) async -> S3Outcome<Void> {
    await send("DELETE", to: node, "/\(bucket)").map { _ in }
  }

  /// The names of the buckets that the key may see.
  func listBuckets(on node: SimulatedNode) async -> S3Outcome<[String]> {
    await send("GET", to: node, "/").map { answer in
      let buckets = (try? XMLParser.parse(answer.body))?.child("Buckets")
      return (buckets?.children(named: "Bucket") ?? []).compactMap { $0.text(of: "Name") }
    }
  }

  func put(
    _ value: String, _ bucket: String, _ key: String, on node: SimulatedNode,
    isLargeAllowed: Bool = false
  ) async -> S3Outcome<Void> {
    let bytes = ObjectBody.bytes(value, isLargeAllowed: isLargeAllowed)
    return await send(
      "PUT", to: node, "/\(bucket)/\(key)", headers: ObjectBody.headers(value), body: bytes
    ).map { _ in }
  }

  func delete(_ bucket: String, _ key: String, on node: SimulatedNode) async -> S3Outcome<Void> {
    await send("DELETE", to: node, "/\(bucket)/\(key)").map { _ in }
  }

  /// Reads an object; that there is none is a value.
  func get(
    _ bucket: String, _ key: String, on node: SimulatedNode, isLargeAllowed: Bool = false
  ) async -> S3Outcome<ObjectState> {
    let outcome = await send("GET", to: node, "/\(bucket)/\(key)")
    if outcome.code == "NoSuchKey" { return .done(.absent) }
    return outcome.map { answer in
      guard let value = ObjectBody.value(of: answer) else { return .torn("no value") }
      let expected = ObjectBody.bytes(value, isLargeAllowed: isLargeAllowed)
      return answer.body == expected
        ? .value(value) : .torn("\(answer.body.count) bytes under the value \(value)")
    }
  }

  /// Reads an object's head; that there is none is a value.
  func head(
    _ bucket: String, _ key: String, on node: SimulatedNode, isLargeAllowed: Bool = false
  ) async -> S3Outcome<ObjectState> {
    let outcome = await send("HEAD", to: node, "/\(bucket)/\(key)")
    if case .refused(let refusal) = outcome, refusal.status == 404 { return .done(.absent) }
    return outcome.map { answer in
      guard let value = ObjectBody.value(of: answer) else { return .torn("no value") }
      let count = ObjectBody.bytes(value, isLargeAllowed: isLargeAllowed).count
      return answer.headers["content-length"] == "\(count)"
        ? .value(value) : .torn("another length than that of the value \(value)")
    }
  }

  /// A page of a listing.
  struct Page: Sendable {
    var keys: [String]
    var commonPrefixes: [String]
    /// The token of the next page; `nil` on the last.
    var next: String?
  }

  /// Lists a page; `token` is that of the page before.
  func list(
    _ bucket: String, prefix: String, delimiter: String, keysMax: Int, token: String?,
    on node: SimulatedNode
  ) async -> S3Outcome<Page> {
    var query = [
      FormField("list-type", "2"), FormField("prefix", prefix), FormField("max-keys", "\(keysMax)"),
    ]
    if !delimiter.isEmpty { query.append(FormField("delimiter", delimiter)) }
    if let token { query.append(FormField("continuation-token", token)) }
    let outcome = await send("GET", to: node, "/\(bucket)", query: query)
    guard case .done(let answer) = outcome else {
      return outcome.map { _ in Page(keys: [], commonPrefixes: []) }
    }
    guard let document = try? XMLParser.parse(answer.body) else {
      return .unknown("the listing is no XML")
    }
    let prefixes = document.children(named: "CommonPrefixes").compactMap { $0.text(of: "Prefix") }
    return .done(
      Page(
        keys: document.children(named: "Contents").compactMap { $0.text(of: "Key") },
        commonPrefixes: prefixes, next: document.text(of: "NextContinuationToken")))
  }
}
