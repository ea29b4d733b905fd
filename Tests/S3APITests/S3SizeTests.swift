import Codecs
import HTTP
import Testing

/// S3's greatest body is 5 GiB, of an object and of a part; nobody sends it for nothing.
@Suite struct S3SizeTests {
  private static let max = 5_368_709_120

  private static func upload(_ node: SimulatedS3) async throws -> String {
    let begun = try await node.expect(200, "POST", "/bucket/k?uploads")
    let id = try #require(try begun.xml().text(of: "UploadId"))
    return "/bucket/k?partNumber=1&uploadId=\(id)"
  }

  @Test(arguments: [false, true])
  func aLargerBodyIsRefusedBeforeItIsSent(expects: Bool) throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      for target in ["/bucket/k", try await Self.upload(node)] {
        let answer = try await node.sendHead(
          "PUT", target, "Content-Length: \(Self.max + 1)",
          expects ? "Expect: 100-continue" : "X-Other: 1")
        #expect(answer.hasPrefix("HTTP/1.1 400 "), "\(answer)")
        #expect(answer.contains("<Code>EntityTooLarge</Code>"))
        #expect(answer.contains("<ProposedSize>\(Self.max + 1)</ProposedSize>"))
        #expect(answer.contains("<MaxSizeAllowed>\(Self.max)</MaxSizeAllowed>"))
      }
    }
  }

  @Test(arguments: [(max + 1, "EntityTooLarge"), (max, "IncompleteBody")])
  func ofAChunkedBodyThePlainLengthCounts(_ row: (length: Int, code: String)) throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      var signing = SimulatedS3.Signing()
      signing.payload = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
      for target in ["/bucket/k", try await Self.upload(node)] {
        let answer = try await node.send(
          "PUT", target, headers: ["x-amz-decoded-content-length": String(row.length)],
          body: Array("0\r\n\r\n".utf8), signing: signing)
        #expect(answer.code == row.code)
      }
    }
  }
}
