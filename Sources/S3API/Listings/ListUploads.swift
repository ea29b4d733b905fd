// ListParts and ListMultipartUploads.

import APICommon
import Base
import Codecs
import Model

/// Listings of what was uploaded and not completed.
enum ListUploads {
  /// S3's limit on a page.
  private static let pageMax = 1000

  /// Answers `GET /bucket/key?uploadId=ID`.
  static func parts(_ request: S3Request) async throws {
    let bucket = try await request.bucket(anyOf: [.read, .write])
    let key = try request.key()
    let id = try request.uploadID()
    let after = try request.number("part-number-marker") ?? 0
    let limit = try request.pageLimit("max-parts", max: pageMax)
    let page = try await request.store.uploads.parts(
      bucket: bucket, key: key, id: id, after: after, limit: max(limit, 1))
    let parts = page.parts.prefix(limit)
    try await request.respond(xml: "ListPartsResult") { xml in
      xml.element("Bucket", request.bucketName)
      xml.element("Key", key.string)
      xml.element("UploadId", id.hex)
      request.writeOwner("Initiator", to: &xml)
      request.writeOwner("Owner", to: &xml)
      xml.element("StorageClass", "STANDARD")
      if let checksum = page.upload.metadata.checksums.first {
        xml.element("ChecksumAlgorithm", checksum.algorithm.name)
        xml.element("ChecksumType", page.upload.metadata.checksumType.name)
      }
      xml.element("PartNumberMarker", after)
      xml.element("NextPartNumberMarker", parts.last?.number ?? after)
      xml.element("MaxParts", limit)
      xml.element("IsTruncated", page.isTruncated && limit > 0)
      for part in parts { write(part, of: page.upload, to: &xml) }
    }
  }

  private static func write(
    _ part: UploadedPart, of upload: MultipartUpload, to xml: inout XMLWriter
  ) {
    xml.element("Part") { xml in
      xml.element("PartNumber", part.number)
      xml.element("LastModified", CivilTime(part.lastModified).iso8601Seconds)
      xml.element("ETag", "\"\(part.etag)\"")
      xml.element("Size", part.sizeBytes)
      // Of an upload begun without an algorithm S3 shows no checksum that it computed of itself.
      for checksum in part.checksums
      where upload.checksumAlgorithm != nil
        || checksum.algorithm != MultipartChecksums.defaultAlgorithm
      {
        xml.element(checksum.algorithm.elementName, checksum.base64)
      }
    }
  }

  /// Answers `GET /bucket?uploads`.
  static func uploads(_ request: S3Request) async throws {
    let bucket = try await request.bucket(anyOf: [.read, .write])
    let target = request.target
    let prefix = try target.text("prefix")
    let delimiter = try target.text("delimiter")
    let keyMarker = try target.text("key-marker")
    // S3 ignores the upload's marker without the key's.
    let idMarker = keyMarker.isEmpty ? "" : try target.text("upload-id-marker")
    let limit = try request.pageLimit("max-uploads", max: pageMax)
    let encodes = try ListQuestion.encodesURL(target)
    let query = ListQuery(
      prefix: Array(prefix.utf8), delimiter: Array(delimiter.utf8), limit: limit)
    let after = try position(query, keyMarker: keyMarker, idMarker: idMarker)
    let page = try await request.store.uploads.list(bucket: bucket, query, after: after)
    let text = { (bytes: [UInt8]) in
      encodes
        ? PercentCoding.encode(bytes, allowed: .unreservedAndSlash)
        : String(decoding: bytes, as: UTF8.self)
    }
    try await request.respond(xml: "ListMultipartUploadsResult") { xml in
      xml.element("Bucket", request.bucketName)
      xml.element("KeyMarker", text(Array(keyMarker.utf8)))
      xml.element("UploadIdMarker", idMarker)
      writeNext(page.next, text, to: &xml)
      xml.element("Prefix", text(query.prefix))
      if !delimiter.isEmpty { xml.element("Delimiter", text(query.delimiter)) }
      if encodes { xml.element("EncodingType", "url") }
      xml.element("MaxUploads", limit)
      xml.element("IsTruncated", page.next != nil)
      for upload in page.uploads { write(upload, request, text, to: &xml) }
      for prefix in page.commonPrefixes {
        xml.element("CommonPrefixes") { xml in xml.element("Prefix", text(prefix)) }
      }
    }
  }

  private static func position(
    _ query: ListQuery, keyMarker: String, idMarker: String
  ) throws(S3Error) -> UploadPosition {
    let position = query.position(marker: Array(keyMarker.utf8))
    guard !idMarker.isEmpty, case .afterKey = position else { return UploadPosition(position) }
    guard let id = UploadID(hex: idMarker) else {
      throw S3Error.argument("upload-id-marker", idMarker, "Invalid uploadId marker")
    }
    return UploadPosition(position, upload: id)
  }

  private static func writeNext(
    _ next: UploadPosition?, _ text: ([UInt8]) -> String, to xml: inout XMLWriter
  ) {
    switch next?.position {
    case .afterKey(let key): xml.element("NextKeyMarker", text(key))
    case .afterPrefix(let prefix): xml.element("NextKeyMarker", text(prefix))
    case .start, nil: return
    }
    if let upload = next?.upload { xml.element("NextUploadIdMarker", upload.hex) }
  }

  private static func write(
    _ upload: MultipartUpload, _ request: S3Request, _ text: ([UInt8]) -> String,
    to xml: inout XMLWriter
  ) {
    xml.element("Upload") { xml in
      xml.element("Key", text(upload.key.bytes))
      xml.element("UploadId", upload.id.hex)
      request.writeOwner("Initiator", to: &xml)
      request.writeOwner("Owner", to: &xml)
      xml.element("StorageClass", "STANDARD")
      xml.element("Initiated", CivilTime(upload.initiated).iso8601Seconds)
      if let checksum = upload.metadata.checksums.first {
        xml.element("ChecksumAlgorithm", checksum.algorithm.name)
        xml.element("ChecksumType", upload.metadata.checksumType.name)
      }
    }
  }
}
