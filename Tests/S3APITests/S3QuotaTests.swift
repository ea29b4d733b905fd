import Codecs
import HTTP
import Model
import Testing

@Suite struct S3QuotaTests {
  private static func limit(_ node: SimulatedS3, _ quota: BucketQuota) async throws {
    try await node.expect(200, "PUT", "/bucket")
    let bucket = try await node.store.buckets.resolve("bucket", for: nil)
    _ = try await node.store.buckets.setQuota(quota, of: #require(bucket).id)
  }

  @Test func whatIsTooMuchIsRefusedWithTheLimit() throws {
    try SimulatedS3.run { node in
      try await Self.limit(node, BucketQuota(bytesMax: 2048, objectsMax: 2))
      try await node.expect(200, "PUT", "/bucket/a", body: [UInt8](repeating: 1, count: 2000))
      let large = try await node.expect(
        403, "PUT", "/bucket/b", body: [UInt8](repeating: 1, count: 49))
      #expect(large.code == "QuotaExceeded")
      #expect(
        try large.xml().text(of: "Message")
          == "The bucket may hold 2 KiB (2048 bytes) and holds 2 KiB (2000 bytes), "
          + "unfinished uploads included.")
      try await node.expect(200, "PUT", "/bucket/b")
      let many = try await node.expect(403, "PUT", "/bucket/c")
      #expect(try many.xml().text(of: "Message") == "The bucket may hold 2 objects and holds 2.")
      let copy = try await node.expect(
        403, "PUT", "/bucket/c", headers: ["x-amz-copy-source": "/bucket/b"])
      #expect(copy.code == "QuotaExceeded")
      try await node.expect(204, "DELETE", "/bucket/a")
      try await node.expect(200, "PUT", "/bucket/c")
    }
  }

  @Test func partsAndCompletionsAreRefused() throws {
    try SimulatedS3.run { node in
      try await Self.limit(node, BucketQuota(bytesMax: 2048, objectsMax: 0))
      let begun = try await node.expect(200, "POST", "/bucket/k?uploads")
      let id = try #require(try begun.xml().text(of: "UploadId"))
      let part = "/bucket/k?partNumber=1&uploadId=\(id)"
      let refused = try await node.expect(
        403, "PUT", part, body: [UInt8](repeating: 1, count: 2049))
      #expect(refused.code == "QuotaExceeded")
      let etag = try await node.expect(200, "PUT", part, body: [1]).headers["etag"] ?? ""
      let document =
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\(etag)"
        + "</ETag></Part></CompleteMultipartUpload>"
      let completed = try await node.expect(
        403, "POST", "/bucket/k?uploadId=\(id)", body: Array(document.utf8))
      #expect(completed.code == "QuotaExceeded")
    }
  }

  /// The body never comes: an answer other than `RequestTimeout` did not wait for it.
  @Test(arguments: ["Content-Length: 3000", "Content-Length: 3000\r\nExpect: 100-continue"])
  func anAnnouncedBodyIsNotAwaited(lines: String) throws {
    try SimulatedS3.run { node in
      try await Self.limit(node, BucketQuota(bytesMax: 2048))
      let answer = try await node.sendHead("PUT", "/bucket/k", lines)
      #expect(answer.hasPrefix("HTTP/1.1 403 "), "\(answer)")
      #expect(answer.contains("<Code>QuotaExceeded</Code>"))
    }
  }
}
