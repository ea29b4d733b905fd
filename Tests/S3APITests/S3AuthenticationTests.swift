import APICommon
import Base
import Codecs
import Crypto
import HTTP
import Model
import SimulatedWorld
import Testing

@Suite struct S3AuthenticationTests {
  @Test func strangersAreRefused() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      let anonymous = try await node.send("GET", "/bucket", signing: nil)
      #expect(anonymous.status == 403)
      #expect(anonymous.code == "AccessDenied")
      var signing = SimulatedS3.Signing()
      signing.accessKeyID = "GKunknown0000000000000000"
      #expect(try await node.send("GET", "/bucket", signing: signing).code == "InvalidAccessKeyId")
      signing = SimulatedS3.Signing()
      signing.secret = "wrong"
      #expect(
        try await node.send("GET", "/bucket", signing: signing).code == "SignatureDoesNotMatch")
      signing = SimulatedS3.Signing()
      signing.region = "us-east-1"
      let answer = try await node.send("GET", "/bucket", signing: signing)
      #expect(answer.status == 400)
      #expect(answer.code == "AuthorizationHeaderMalformed")
      #expect(try answer.xml().text(of: "Region") == "grange")
      #expect(answer.headers["x-amz-bucket-region"] == "grange")
    }
  }

  /// Two reads answer a stranger: whatever is no plain name would have all buckets looked through.
  @Test func aStrangerLearnsOfPlainNamesOnly() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      let bucket = try #require(try await node.store.buckets.resolve("bucket", for: nil))
      for (name, code) in [
        ("bucket", "AccessDenied"), ("none", "NoSuchBucket"), (bucket.id.hex, "NoSuchBucket"),
      ] {
        #expect(try await node.send("GET", "/\(name)", signing: nil).code == code)
      }
    }
  }

  @Test func aKeyDoesWhatItHasTheRightTo() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      try await node.expect(200, "PUT", "/bucket/k", body: [1])
      let other = try await node.store.accessKeys.create(name: "other")
      var signing = SimulatedS3.Signing()
      signing.accessKeyID = other.id
      signing.secret = other.secret
      let signedByOther = signing
      let bucket = try #require(try await node.store.buckets.resolve("bucket", for: nil))
      let requests = [
        ("GET", "/bucket/k"), ("HEAD", "/bucket"), ("PUT", "/bucket/k"), ("PUT", "/another"),
        ("DELETE", "/bucket/k"), ("DELETE", "/bucket"),
      ]
      let rights: [(Permissions, [Int])] = [
        ([], [403, 403, 403, 403, 403, 403]), (.read, [200, 200, 403, 403, 403, 403]),
        (.write, [200, 200, 200, 403, 204, 403]), (.owner, [404, 200, 200, 403, 204, 204]),
      ]
      for (right, statuses) in rights {
        if !right.isEmpty {
          _ = try await node.store.buckets.allow(right, to: other.id, in: bucket.id)
        }
        for ((method, target), status) in zip(requests, statuses) {
          let answer = try await node.send(method, target, signing: signedByOther)
          #expect(answer.status == status, "\(method) \(target) with \(right.rawValue)")
        }
      }
    }
  }

  @Test(arguments: [
    (Permissions.write, "k", 403), (.write, "none", 403), (.read, "none", 404), (.owner, "k", 200),
  ])
  func whoMayOnlyWriteDoesNotLearnWhichKeysThereAre(
    _ row: (right: Permissions, key: String, status: Int)
  ) throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      try await node.expect(200, "PUT", "/bucket/k", body: [1])
      let other = try await node.store.accessKeys.create(name: "other")
      let bucket = try #require(try await node.store.buckets.resolve("bucket", for: nil))
      _ = try await node.store.buckets.allow(row.right, to: other.id, in: bucket.id)
      var signing = SimulatedS3.Signing()
      signing.accessKeyID = other.id
      signing.secret = other.secret
      let answer = try await node.send("GET", "/bucket/\(row.key)?acl", signing: signing)
      #expect(answer.status == row.status)
    }
  }

  @Test func theHashOfTheBodyIsCompared() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      var signing = SimulatedS3.Signing()
      signing.payload = Hex.encode(Digests.sha256([1]))
      let bad = try await node.send("PUT", "/bucket/k", body: [2], signing: signing)
      #expect(bad.code == "XAmzContentSHA256Mismatch")
      try await node.expect(404, "GET", "/bucket/k")
      #expect(try await node.send("PUT", "/bucket/k", body: [1], signing: signing).status == 200)
    }
  }

  /// As curl 7.88 signs: the digest is signed and not stated.
  @Test func aBodyMayBeSignedWithoutStatingItsHash() throws {
    let large = [UInt8](repeating: 1, count: (256 << 10) + 1)
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      let cases: [([UInt8], [UInt8], Int)] = [
        ([1], [1], 200), ([1], [2], 403), ([], [], 200), (large, large, 400),
      ]
      for (signed, sent, status) in cases {
        var headers: HTTPHeaders = ["Host": "s3.test"]
        SimulatedS3.signer.sign(
          method: "PUT", target: RequestTarget(path: Array("/bucket/k".utf8)), headers: &headers,
          payloadHash: Hex.encode(Digests.sha256(signed)), statesPayloadHash: false,
          at: node.runtime.wallNow)
        #expect(!headers.contains("x-amz-content-sha256"))
        let answer = try await node.send(
          "PUT", "/bucket/k", headers: headers, body: sent, signing: nil)
        #expect(answer.status == status, "\(answer.text)")
      }
      #expect(try await node.expect(200, "GET", "/bucket/k").body.isEmpty)
    }
  }

  /// Who knows no more than the ID of a key cannot fill the node's memory with bodies.
  @Test func bodiesThatNoHeaderVouchesForHaveLittleRoom() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      let target = "/bucket/k"
      let put = { @Sendable (bytes: UInt64, seconds: Int64) async throws -> (Int, String?) in
        var headers: HTTPHeaders = ["Host": "s3.test"]
        let signer = RequestSigner(
          accessKeyID: SimulatedS3.accessKeyID, secret: "not known", region: SimulatedS3.region)
        signer.sign(
          method: "PUT", target: RequestTarget(path: Array(target.utf8)), headers: &headers,
          payloadHash: Hex.encode(Digests.sha256([])), statesPayloadHash: false,
          at: node.runtime.wallNow)
        var rest = Int(bytes)
        let response = try await node.client.request(
          "PUT", .tcp(host: "s3.test", port: 80), target, headers: headers,
          body: .stream(length: bytes) { buffer in
            // The head goes with the first byte.
            let count = min(rest, rest == Int(bytes) ? 1 : buffer.count)
            if rest < Int(bytes) { try await node.runtime.sleep(for: .seconds(seconds)) }
            rest -= count
            return count
          })
        let body = try await response.collect(maxBytes: 1 << 20)
        return (response.status, try XMLParser.parse(body).text(of: "Code"))
      }
      let slow = (0..<32).map { _ in
        node.runtime.spawn {
          do { #expect(try await put(256 << 10, 5).1 == "SignatureDoesNotMatch") } catch {
            Issue.record(error)
          }
        }
      }
      try await node.runtime.sleep(for: .seconds(2))
      #expect(try await put(1, 0) == (503, "SlowDown"))
      #expect(try await put(0, 0) == (403, "SignatureDoesNotMatch"))
      try await node.expect(200, "PUT", target, body: [1])
      for task in slow { await task.value }
      #expect(try await put(1, 0) == (403, "SignatureDoesNotMatch"))
    }
  }

  @Test func onlyItsOwnerLearnsThatAKeyExpired() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      _ = try await node.store.accessKeys.update(
        SimulatedS3.accessKeyID, expiration: .some(node.runtime.wallNow))
      let own = try await node.expect(403, "GET", "/bucket")
      #expect(own.text.contains("<Message>The access key expired at 2"), "\(own.text)")
      var signing = SimulatedS3.Signing()
      signing.secret = "wrong"
      let other = try await node.send("GET", "/bucket", signing: signing)
      #expect(other.code == "SignatureDoesNotMatch")
    }
  }

  /// The digest of its body is signed and not stated.
  @Test(arguments: [("", "AccessDenied"), ("123456789", "SignatureDoesNotMatch")])
  func anExpiredKeyIsRefusedBeforeItsBodyIsRead(body: String, code: String) throws {
    try SimulatedS3.run { node in
      let start = node.runtime.now
      try await node.expect(200, "PUT", "/bucket")
      _ = try await node.store.accessKeys.update(
        SimulatedS3.accessKeyID, expiration: .some(node.runtime.wallNow))
      var headers: HTTPHeaders = ["Host": "s3.test"]
      SimulatedS3.signer.sign(
        method: "PUT", target: RequestTarget(path: Array("/bucket/k".utf8)), headers: &headers,
        payloadHash: Hex.encode(Digests.sha256(Array(body.utf8))), statesPayloadHash: false,
        at: node.runtime.wallNow)
      let head = headers.map { "\($0.name): \($0.value)\r\n" }.joined()
      let answer = try await node.sendRaw(
        "PUT /bucket/k HTTP/1.1\r\nContent-Length: \(body.utf8.count)\r\nExpect: 100-continue\r\n"
          + "Connection: close\r\n\(head)\r\n")
      // A server that wants the body says so first.
      if !body.isEmpty { #expect(answer.hasPrefix("HTTP/1.1 403 "), "\(answer)") }
      #expect(answer.contains("<Code>\(code)</Code>"), "\(answer)")
      #expect(node.runtime.now - start < .seconds(10))
    }
  }

  @Test(arguments: [false, true], [false, true])
  func chunksAreCompared(isForged: Bool, hasTrailer: Bool) throws {
    let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0) }
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      var signing = SimulatedS3.Signing()
      signing.payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + (hasTrailer ? "-TRAILER" : "")
      var headers: HTTPHeaders = [
        "x-amz-decoded-content-length": String(bytes.count), "Content-Encoding": "aws-chunked",
      ]
      if hasTrailer { headers.append("x-amz-trailer", "x-amz-checksum-crc64nvme") }
      let answer = try await node.send("PUT", "/bucket/k", headers: headers, signing: signing) {
        Self.chunked(bytes, $0, isForged: isForged, hasTrailer: hasTrailer)
      }
      if isForged {
        #expect(answer.code == "SignatureDoesNotMatch")
        try await node.expect(404, "GET", "/bucket/k")
      } else {
        #expect(answer.status == 200, "\(answer.text)")
        // Without a trailer it is the server's own.
        let sum = withUnsafeBytes(of: CRC64NVME.checksum(bytes).bigEndian) { Array($0) }
        #expect(answer.headers["x-amz-checksum-crc64nvme"] == Base64.encode(sum))
        let get = try await node.expect(200, "GET", "/bucket/k")
        #expect(get.body == bytes)
        #expect(!get.headers.contains("content-encoding"))
      }
    }
  }

  /// The aws-chunked form of `bytes`, with a CRC-64 as trailer or without.
  private static func chunked(
    _ bytes: [UInt8], _ context: ChunkSigningContext, isForged: Bool, hasTrailer: Bool
  ) -> [UInt8] {
    var coded: [UInt8] = []
    var previous = context.seedSignature
    for start in stride(from: 0, to: bytes.count + 65_536, by: 65_536) {
      let chunk = Array(bytes[min(start, bytes.count)..<min(start + 65_536, bytes.count)])
      previous = context.chunkSignature(previous: previous, sha256: Digests.sha256(chunk))
      coded += Array("\(String(chunk.count, radix: 16));chunk-signature=\(previous)\r\n".utf8)
      coded += chunk
      if chunk.isEmpty { break }
      coded += Array("\r\n".utf8)
    }
    if isForged { coded[100_000] ^= 1 }
    guard hasTrailer else { return coded + Array("\r\n".utf8) }
    let sum = withUnsafeBytes(of: CRC64NVME.checksum(bytes).bigEndian) { Base64.encode(Array($0)) }
    let trailer = "x-amz-checksum-crc64nvme:\(sum)"
    let signature = context.trailerSignature(
      previous: previous, trailers: Array("\(trailer)\n".utf8))
    return coded + Array("\(trailer)\r\nx-amz-trailer-signature:\(signature)\r\n\r\n".utf8)
  }

  /// Who presigns puts x-amz- headers into the query; to ignore them would do something else.
  @Test(
    arguments: [
      ("x-amz-copy-source", "/bucket/other", 404, nil),
      ("X-Amz-Copy-Source", "/bucket/other", 404, nil),
      ("x-amz-server-side-encryption", "AES256", 501, nil),
      ("x-amz-tagging", "a=b", 501, nil),
      ("x-amz-checksum-crc32", "AAAAAA==", 200, nil),
      ("X-Amz-Checksum-CRC64NVME", "AAAAAAAAAAA=", 200, nil),
      ("x-amz-checksum-sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", 200, nil),
      ("x-amz-checksum-crc32", "pQXfGw==", 400, nil),
      ("x-amz-checksum-crc32", "1W8rlA==", 200, nil),
      ("x-amz-checksum-crc32", "x", 400, nil),
      ("X-Amz-Checksum-SHA512", "AAAA", 501, nil),
      ("content-md5", "55a54008ad1ba589aa210d2629c1df41", 400, nil),
      ("Content-MD5", "VaVACK0bpYmqIQ0mKcHfQQ==", 400, nil),
      ("Content-MD5", "7H9+e7Q3Qs6GgUX3HTe1PA==", 200, nil),
      ("If-None-Match", "*", 501, nil),
      ("if-none-match", "*", 501, nil),
      ("If-Match", "x", 501, nil),
      ("If-Unmodified-Since", "Sat, 01 Jan 2000 00:00:00 GMT", 501, nil),
      ("x-amz-object-lock-mode", "GOVERNANCE", 501, nil),
      ("x-amz-grant-read", "id=a", 501, nil),
      ("x-amz-storage-class", "FLOPPY", 400, nil),
      ("x-amz-acl", "friends", 400, nil),
      ("x-amz-acl", "public-read", 200, nil),
      ("content-type", "a/b", 200, nil),
      ("x-amz-meta-\u{E9}", "a", 400, nil),
      ("x-amz-sdk-checksum-algorithm", "CRC32", 200, nil),
      ("x-amz-meta-colour", "light blue", 200, "light blue"),
      ("X-Amz-Meta-Colour", "light blue", 200, "light blue"),
      ("x-id", "PutObject", 200, nil),
    ] as [(String, String, Int, String?)])
  func headersInAQueryAreNotIgnored(
    _ row: (name: String, value: String, status: Int, colour: String?)
  ) throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      try await node.expect(200, "PUT", "/bucket/k", body: [1, 2, 3])
      let url = node.presigned(
        "PUT", "/bucket/k", query: [FormField(row.name, row.value)])
      let answer = try await node.send("PUT", url, body: [4], signing: nil)
      #expect(answer.status == row.status, "\(answer.text)")
      let get = try await node.expect(200, "GET", "/bucket/k")
      #expect(get.body == (row.status == 200 ? [4] : [1, 2, 3]))
      #expect(get.headers["x-amz-meta-colour"] == row.colour)
    }
  }

  /// Who signs a condition or a range of a read means it.
  @Test(
    arguments: [
      ("if-match", "\"x\"", 412, nil), ("If-None-Match", "*", 304, nil),
      ("if-unmodified-since", "Sat, 01 Jan 2000 00:00:00 GMT", 412, nil),
      ("range", "bytes=1-1", 206, [2]), ("If-Match", "*", 200, [1, 2, 3]),
      ("content-type", "a/b", 200, [1, 2, 3]),
    ] as [(String, String, Int, [UInt8]?)])
  func conditionsOfAReadStandInAQuery(
    _ row: (name: String, value: String, status: Int, body: [UInt8]?)
  ) throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      try await node.expect(200, "PUT", "/bucket/k", body: [1, 2, 3])
      let url = node.presigned(
        "GET", "/bucket/k", query: [FormField(row.name, row.value)])
      let answer = try await node.send("GET", url, signing: nil)
      #expect(answer.status == row.status, "\(answer.text)")
      if let body = row.body { #expect(answer.body == body) }
      // Sent as a header besides, one of the two would be obeyed.
      var twice = HTTPHeaders()
      twice.append(row.name, row.value)
      let second = try await node.send("GET", url, headers: twice, signing: nil)
      #expect(second.status == (row.name == "content-type" ? 200 : 400))
    }
  }

  /// The first would be obeyed and the second not, or the other way round.
  @Test(arguments: ["x-amz-acl", "X-Amz-Acl"])
  func aHeaderInAQueryComesOnce(second: String) throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      let url = node.presigned(
        "PUT", "/bucket/k",
        query: [FormField("x-amz-acl", "private"), FormField(second, "public-read")])
      #expect(try await node.send("PUT", url, signing: nil).code == "InvalidRequest")
    }
  }

  /// The signature covers the Host field; the authority of an absolute target it does not cover.
  @Test func aSignatureForOneHostOpensNoOtherBucket() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/first")
      try await node.expect(200, "PUT", "/second")
      try await node.expect(200, "PUT", "/second/k", body: [1])
      let url = node.presigned("GET", "/k", host: "first.s3.test")
      for (authority, status) in [("second.s3.test", 400), ("first.s3.test", 404)] {
        let answer = try await node.send(
          "GET", "http://\(authority)\(url)", host: "first.s3.test", signing: nil)
        #expect(answer.status == status, "\(answer.text)")
      }
    }
  }

  @Test func presignedURLsWork() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      let put = node.presigned("PUT", "/bucket/a b")
      #expect(try await node.send("PUT", put, body: [1, 2], signing: nil).status == 200)
      let get = node.presigned("GET", "/bucket/a b")
      #expect(try await node.send("GET", get, signing: nil).body == [1, 2])
      try await node.runtime.sleep(for: .seconds(61))
      #expect(try await node.send("GET", get, signing: nil).code == "AccessDenied")
    }
  }
}
