// What S3 reads from a request's head beside its signature: bucket and key, operation, hoisted headers, conditions,
// ranges, copy sources, checksums, the addresses of proxies.

import APICommon
import Base
import Codecs
import HTTP
import Model
import Reactor
import S3API

private let proxies = TrustedProxies(
  [IPNetwork("127.0.0.0/8"), IPNetwork("10.0.0.0/8"), IPNetwork("2001:db8::/32")].compactMap { $0 })
private let domain = RootDomain(".s3.example.org")

extension Fuzzer {
  static let s3Request = Fuzzer(
    "s3-request",
    of: [
      "S3API/Requests/RequestAddress", "S3API/Requests/Router", "S3API/Requests/HoistedHeaders",
      "S3API/Objects/ReadConditions",
      "S3API/Objects/CopySource+Parsing",
      "HTTP/TrustedProxies",
    ]
  ) { input in
    guard let head = requestHead(input) else { return }
    for peer in ["127.0.0.1:80", "[::ffff:10.0.0.1]:80", "192.0.2.1:80", "unix"] {
      let client = proxies.client(of: peer, head.headers)
      try require(
        SocketAddress(ip: client, port: 1) != nil || client == peer, "a client without an address")
      try require(client == "192.0.2.1" || peer != "192.0.2.1:80", "a stranger's word was taken")
    }
    guard let target = try? RequestTarget(head) else { return }
    let address = try? RequestAddress(target, host: head.host, rootDomain: domain)
    if let address { try checkAddress(address, target, head) }
    let byPath = try? RequestAddress(target, host: head.host, rootDomain: RootDomain(""))
    if let byPath { try checkAddress(byPath, target, head) }
    guard let merged = try? HoistedHeaders.merge(target, into: head.headers) else { return }
    for (name, value) in fields(of: merged) {
      try require(name.utf8.allSatisfy(isTokenCharacter), "a hoisted name that is no token")
      try require(!value.contains { [0, 10, 13].contains($0) }, "a hoisted value of two lines")
    }
    try checkObjectHeaders(merged)
    try checkConditions(merged)
    if let source = merged["x-amz-copy-source"] { try checkCopySource(source) }
    _ = try? MultipartEndpoints.checksum(merged)
    if let address, let operation = try? Router.route(head.method, address, target) {
      try? Router.refuseWhatIsNotImplemented(operation, merged)
    }
  }

  private static func checkAddress(
    _ address: RequestAddress, _ target: RequestTarget, _ head: HTTPRequestHead
  ) throws {
    let bucket = address.bucket.map { Array($0.utf8) } ?? []
    let key = address.key ?? []
    let isPath = target.path == [0x2F] + bucket + (key.isEmpty ? [] : [0x2F] + key)
    let isBucket = target.path == [0x2F] + bucket + [0x2F] && key.isEmpty
    let isHost =
      target.path == [0x2F] + key
      && (head.host ?? "").lowercased().hasPrefix((address.bucket ?? "") + ".s3.example.org")
    try require(
      isPath || isBucket || isHost || address.bucket == nil,
      "an address that the target does not name")
  }

  private static func checkObjectHeaders(_ headers: HTTPHeaders) throws {
    guard let kept = try? ObjectHeaders.read(headers) else { return }
    var again = HTTPHeaders()
    for header in kept {
      try require(
        again.append(header.name, valueBytes: header.value), "a kept name that is no token")
    }
    try require(Set(kept.map(\.name)).count == kept.count, "a header that is kept twice")
    try require(
      try ObjectHeaders.read(again).map(\.name) == kept.map(\.name), "kept headers are not kept")
    let bytes = kept.filter { $0.name.hasPrefix("x-amz-meta-") }.reduce(0) {
      $0 + $1.name.utf8.count - 11
    }
    try require(bytes <= 2048, "metadata above the limit")
  }

  private static func checkConditions(_ headers: HTTPHeaders) throws {
    let etag = "d41d8cd98f00b204e9800998ecf8427e"
    let time = WallTime(milliseconds: 784_111_777_000)
    for prefix in ["", "x-amz-copy-source-"] as [StaticString] {
      let outcome = ReadConditions(headers, prefix: prefix, now: time).evaluate(
        etag: etag, lastModified: time)
      let isConditional = ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"]
        .contains { headers.contains("\(prefix)\($0)") }
      try require(outcome == .proceed || isConditional, "a condition that nobody made")
    }
    _ = ReadConditions.rangeCounts(headers, etag: etag, lastModified: time, now: time)
    if let text = headers["range"] { try checkRange(text) }
  }

  static func checkCopySource(_ text: String) throws {
    guard let (bucket, key) = try? CopySource.parse(text) else { return }
    try require(
      !bucket.isEmpty && !bucket.utf8.contains(0x2F) && !key.isEmpty, "no bucket or no key")
    let again = try CopySource.parse(
      PercentCoding.encode(bucket) + "/" + PercentCoding.encode(key, allowed: .unreservedAndSlash))
    try require(again.bucket == bucket && again.key == key, "a copy source written again")
  }

  static func checkRange(_ text: String) throws {
    for size: UInt64 in [0, 1, 10, 1 << 40, .max] {
      switch ByteRange(text, size: size) {
      case .whole, .unsatisfiable: break
      case .part(let range):
        try require(!range.isEmpty && range.upperBound <= size, "\(range) of \(size)")
      }
    }
  }
}
