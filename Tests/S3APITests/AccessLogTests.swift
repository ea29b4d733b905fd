import APICommon
import Base
import Codecs
import Glibc
import HTTP
import SimulatedWorld
import Testing

@Suite struct AccessLogTests {
  /// The lines that `body` makes a node log.
  private func lines(
    _ level: LogLevel = .info, _ body: @escaping @Sendable (SimulatedS3) async throws -> Void
  ) throws -> [[String: String]] {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    let output = LogOutput(level: level, format: .json, descriptor: ends[1])
    try SimulatedS3.run(logger: Logger(output: output, label: "s3"), body)
    close(ends[1])
    defer { close(ends[0]) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while case let count = read(ends[0], &buffer, buffer.count), count > 0 {
      bytes += buffer[..<count]
    }
    return try bytes.split(separator: UInt8(ascii: "\n")).map { line in
      guard case .object(let fields) = try JSON.parse(Array(line)) else { return [:] }
      return Dictionary(
        fields.map { ($0.name, $0.value.string ?? "") }, uniquingKeysWith: { first, _ in first })
    }
  }

  @Test func eachRequestGetsOneLine() throws {
    let lines = try lines { node in
      try await node.expect(200, "PUT", "/bucket")
      try await node.expect(200, "PUT", "/bucket/a%20b", body: [1, 2, 3])
      try await node.expect(200, "GET", "/bucket/a%20b")
      try await node.expect(404, "HEAD", "/bucket/none")
      _ = try await node.send("GET", "/bucket/k?acl", signing: nil)
    }
    #expect(lines.map { $0["label"] } == Array(repeating: "s3.access", count: 5))
    #expect(
      lines.map { $0["message"] }
        == ["CreateBucket", "PutObject", "GetObject", "HeadObject", "refused"])
    #expect(lines.map { $0["status"] } == ["200", "200", "200", "404", "403"])
    #expect(lines.map { $0["received"] } == ["0", "3", "0", "0", "0"])
    #expect(lines[2]["sent"] == "3" && lines[3]["sent"] == "0")
    #expect(lines[2]["path"] == "/bucket/a%20b" && lines[2]["method"] == "GET")
    #expect(lines[2]["client"]?.isEmpty == false && lines[2]["ms"]?.contains(".") == true)
    #expect(Set(lines.map { $0["request"] }).count == 5)
    #expect(
      lines.map { $0["key"] } == Array(repeating: SimulatedS3.accessKeyID, count: 4) + [nil])
    #expect(lines.map { $0["error"] } == [nil, nil, nil, "NoSuchKey", "AccessDenied"])
  }

  /// Whoever reads the log must not be able to repeat a request.
  @Test func noSignatureIsWrittenAndNoKeyThatWasNotProven() throws {
    let long = String(repeating: "x", count: 20_000)
    let lines = try lines { node in
      for secret in [SimulatedS3.secret, "wrong"] {
        let signer = RequestSigner(
          accessKeyID: SimulatedS3.accessKeyID, secret: secret, region: SimulatedS3.region)
        let url = node.presigned("GET", "/bucket/k", by: signer)
        _ = try await node.send("GET", url, signing: nil)
      }
      _ = try await node.send("GET", "/bucket/\(long)", signing: nil)
    }
    #expect(lines.map { $0["key"] } == [SimulatedS3.accessKeyID, nil, nil])
    #expect(lines.map { $0["path"]?.utf8.count } == [9, 9, 4096])
    for line in lines { #expect(!line.values.contains { $0.lowercased().contains("signature=") }) }
  }

  @Test func aHigherLevelWritesNone() throws {
    #expect(try lines(.warning) { try await $0.expect(200, "PUT", "/bucket") }.isEmpty)
  }
}
