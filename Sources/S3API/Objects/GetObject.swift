// GetObject and HeadObject: they differ in the body alone, which the HTTP server leaves out after HEAD.

import APICommon
import Base
import HTTP
import Model

/// Reads of an object.
enum GetObject {
  /// Answers `GET or HEAD /bucket/key`.
  static func handle(_ request: S3Request) async throws {
    let bucket = try await request.bucket(anyOf: .read)
    let version = try await request.object(in: bucket)
    try checkConditions(request, version)
    let selection = try select(request, version)
    var headers = try ObjectHeaders.write(version, overriddenBy: request.target)
    if selection.status == 206 {
      headers.append(
        "content-range",
        "bytes \(selection.range.lowerBound)-\(selection.range.upperBound - 1)/\(version.sizeBytes)"
      )
    }
    if request.headers["x-amz-checksum-mode"]?.uppercased() == "ENABLED" {
      appendChecksums(of: version, selection, to: &headers)
    }
    if selection.part != nil { headers.append("x-amz-mp-parts-count", String(version.partCount)) }
    try await send(request, version, selection, headers)
  }

  /// Clients compare the checksum with the bytes they get: it is that of the object, or of the part asked for,
  /// and there is none with a range.
  private static func appendChecksums(
    of version: ObjectVersion, _ selection: Selection, to headers: inout HTTPHeaders
  ) {
    let metadata = version.metadata
    if let part = selection.part {
      guard let checksum = version.checksum(ofPart: part) else { return }
      headers.append(checksum.algorithm.headerName, checksum.base64)
      headers.append("x-amz-checksum-type", metadata.checksumType.name)
    } else if !selection.isRange {
      ObjectHeaders.append(
        metadata.checksums, type: metadata.checksumType, partCount: version.partCount,
        to: &headers)
    }
  }

  private static func send(
    _ request: S3Request, _ version: ObjectVersion, _ selection: Selection, _ headers: HTTPHeaders
  ) async throws {
    let exchange = request.exchange
    let length = UInt64(selection.range.count)
    guard exchange.request.method != "HEAD", !selection.range.isEmpty else {
      let response = try await exchange.beginResponse(
        selection.status, headers: headers, contentLength: length)
      return try await response.finish()
    }
    if let bytes = version.inlineBytes(selection.range) {
      return try await exchange.respond(selection.status, headers: headers, body: bytes)
    }
    // The head waits for the first bytes: if they cannot be read, there is still an error to answer.
    var response: HTTPResponseBody?
    try await request.store.objects.read(version, range: selection.range) { bytes in
      if response == nil {
        response = try await exchange.beginResponse(
          selection.status, headers: headers, contentLength: length)
      }
      try await response?.write(bytes)
    }
    try await response?.finish()
  }

  private static func checkConditions(
    _ request: S3Request, _ version: ObjectVersion
  ) throws(S3Error) {
    let conditions = ReadConditions(request.headers, now: request.runtime.wallNow)
    switch conditions.evaluate(etag: version.metadata.etag, lastModified: version.lastModified) {
    case .proceed: return
    case .notModified:
      // RFC 9110, section 15.4.5: what caches go by is as in an answer with the object.
      let whole = try ObjectHeaders.write(version, overriddenBy: request.target)
      var headers = HTTPHeaders()
      for name in ["etag", "last-modified", "cache-control", "expires"] {
        if let value = whole[name] { headers.append(name, value) }
      }
      throw S3Error(.notModified, headers: headers)
    case .failed:
      throw S3Error(.preconditionFailed, details: [ReadConditions.failed(request.headers)])
    }
  }

  /// The bytes of an object that are asked for.
  private struct Selection {
    var range: Range<UInt64>
    var status: Int
    /// The number of the part that was asked for, of an object that was uploaded in parts.
    var part: Int?
    /// Whether it is what a Range header asked for.
    var isRange = false
  }

  private static func select(
    _ request: S3Request, _ version: ObjectVersion
  ) throws(S3Error) -> Selection {
    let whole = 0..<version.sizeBytes
    if let number = try request.partNumber() {
      guard !request.headers.contains("range") else {
        throw S3Error(
          .invalidRequest, "Cannot specify both Range header and partNumber query parameter")
      }
      // An object that was uploaded in one piece is its only part.
      let isOnlyPart = version.partCount == 0 && number == 1
      guard let range = isOnlyPart ? whole : version.range(ofPart: number) else {
        throw noPart(number, version)
      }
      return Selection(
        range: range, status: range.isEmpty ? 200 : 206, part: isOnlyPart ? nil : number)
    }
    guard
      ReadConditions.rangeCounts(
        request.headers, etag: version.metadata.etag, lastModified: version.lastModified,
        now: request.runtime.wallNow)
    else { return Selection(range: whole, status: 200) }
    switch ByteRange(request.headers["range"], size: version.sizeBytes) {
    case .whole: return Selection(range: whole, status: 200)
    case .part(let range): return Selection(range: range, status: 206, isRange: true)
    case .unsatisfiable: throw unsatisfiable(version, request.headers["range"] ?? "")
    }
  }

  private static func noPart(_ number: Int, _ version: ObjectVersion) -> S3Error {
    // An object that was uploaded in one piece counts as its only part.
    let count = max(version.partCount, 1)
    return S3Error(
      .invalidPartNumber,
      details: [
        S3Error.Detail("PartNumberRequested", String(number)),
        S3Error.Detail("ActualPartCount", String(count)),
      ])
  }

  private static func unsatisfiable(_ version: ObjectVersion, _ range: String) -> S3Error {
    S3Error(
      .invalidRange,
      details: [
        S3Error.Detail("RangeRequested", range),
        S3Error.Detail("ActualObjectSize", String(version.sizeBytes)),
      ],
      headers: ["content-range": "bytes */\(version.sizeBytes)"])
  }
}
