import APICommon
import HTTP
import Model
import S3API
import Testing

@Suite struct ObjectHeadersTests {
  @Test func keepsWhatBelongsToTheObject() throws {
    let kept = try ObjectHeaders.read([
      "Host": "h", "Content-Type": "text/plain", "X-Amz-Meta-B": "2", "x-amz-meta-a": "1",
      "X-AMZ-META-B": "3", "Expires": "never", "Range": "bytes=0-1", "x-amz-acl": "private",
    ])
    #expect(
      kept == [
        ObjectHeader(name: "content-type", value: "text/plain"),
        ObjectHeader(name: "x-amz-meta-b", value: "2,3"),
        ObjectHeader(name: "x-amz-meta-a", value: "1"),
        ObjectHeader(name: "expires", value: "never"),
      ])
  }

  @Test(
    arguments: [
      ("aws-chunked", nil), ("aws-chunked,gzip", "gzip"), ("gzip, AWS-Chunked", "gzip"),
      ("gzip", "gzip"), ("gzip, br", "gzip, br"), ("aws-chunked, gzip, br", "gzip,br"),
    ] as [(String, String?)])
  func theCodingOfTheTransferIsNotTheObjects(_ row: (sent: String, kept: String?)) throws {
    let kept = try ObjectHeaders.read(["content-encoding": row.sent])
    #expect(kept == (row.kept.map { [ObjectHeader(name: "content-encoding", value: $0)] } ?? []))
  }

  @Test func metadataIsLimited() throws {
    let fits = String(repeating: "x", count: 2047)
    #expect(try ObjectHeaders.read(["x-amz-meta-a": fits]).count == 1)
    #expect(throws: S3Error.self) { try ObjectHeaders.read(["x-amz-meta-ab": fits]) }
  }

  /// S3 counts the bytes of the text in UTF-8, however it came.
  @Test func metadataIsCountedAsText() throws {
    // 1,020 bytes of text in 1,360 characters and the frame of one word, and 2,041 bytes in twice as many.
    let word = "=?UTF-8?B?" + String(repeating: "w6nDqcOp", count: 170) + "?="
    let kept = try ObjectHeaders.read(["x-amz-meta-a": word, "x-amz-meta-b": word])
    #expect(kept.map(\.value.count) == [1020, 1020])
    #expect(throws: S3Error.self) {
      try ObjectHeaders.read([
        "x-amz-meta-a": word, "x-amz-meta-b": word, "x-amz-meta-c": "12345678",
      ])
    }
    var latin1 = HTTPHeaders()
    latin1.append("x-amz-meta-a", valueBytes: [UInt8](repeating: 0xE9, count: 1024))
    #expect(throws: S3Error.self) { try ObjectHeaders.read(latin1) }
  }

  @Test func onlyMetadataIsDecoded() throws {
    let word = "=?UTF-8?Q?=C3=A9?="
    let kept = try ObjectHeaders.read([
      "x-amz-meta-a": word, "X-Amz-Meta-A": "é", "content-disposition": word,
      "cache-control": "é",
    ])
    #expect(
      kept == [
        ObjectHeader(name: "x-amz-meta-a", value: "é,é"),
        ObjectHeader(name: "content-disposition", value: word),
        ObjectHeader(name: "cache-control", value: "é"),
      ])
  }
}
