// GetObjectAttributes: what HeadObject says, as a document, and the parts of the object.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html

import APICommon
import Base
import Codecs
import HTTP
import Model

/// Reads what is known of an object.
enum GetObjectAttributes {
  /// S3's limit on a page of parts.
  private static let partsMax = 1000

  /// What a client asks for.
  private enum Attribute: String, CaseIterable {
    case etag = "ETag"
    case checksum = "Checksum"
    case parts = "ObjectParts"
    case storageClass = "StorageClass"
    case size = "ObjectSize"
  }

  /// Answers `GET /bucket/key?attributes`.
  static func handle(_ request: S3Request) async throws {
    let bucket = try await request.bucket(anyOf: .read)
    let attributes = try attributes(request.headers)
    let after = try number("x-amz-part-number-marker", request.headers) ?? 0
    let limit = min(try number("x-amz-max-parts", request.headers) ?? partsMax, partsMax)
    let version = try await request.object(in: bucket)
    let metadata = version.metadata
    try await request.respond(
      xml: "GetObjectAttributesResponse",
      headers: ["last-modified": CivilTime(version.lastModified).httpDate]
    ) { xml in
      // Alone among S3's answers, this one has the ETag without quotes.
      if attributes.contains(.etag) { xml.element("ETag", metadata.etag) }
      if attributes.contains(.checksum), !metadata.checksums.isEmpty {
        // And composite checksums without the number of parts.
        xml.element("Checksum") { xml in
          MultipartChecksums.write(version, namesPartCount: false, to: &xml)
        }
      }
      if attributes.contains(.parts), version.partCount > 0 {
        xml.element("ObjectParts") { xml in
          writeParts(of: version, after: after, limit: limit, to: &xml)
        }
      }
      if attributes.contains(.storageClass) { xml.element("StorageClass", "STANDARD") }
      if attributes.contains(.size) { xml.element("ObjectSize", version.sizeBytes) }
    }
  }

  private static func attributes(_ headers: HTTPHeaders) throws(S3Error) -> Set<Attribute> {
    var result: Set<Attribute> = []
    for list in headers.all("x-amz-object-attributes") {
      for name in list.split(separator: ",") {
        let name = name.trimmingPrefix(while: { $0 == " " })
        guard let attribute = Attribute(rawValue: String(name)) else {
          throw S3Error(.invalidArgument, "There is no attribute called \(name).")
        }
        result.insert(attribute)
      }
    }
    guard !result.isEmpty else {
      throw S3Error(.invalidRequest, "The header x-amz-object-attributes names no attribute.")
    }
    return result
  }

  private static func number(
    _ name: String, _ headers: HTTPHeaders
  ) throws(S3Error) -> Int? {
    guard let text = headers[name] else { return nil }
    guard let number = Int32(digits: text.utf8) else {
      throw S3Error(.invalidArgument, "The header \(name) is not a number in range.")
    }
    return Int(number)
  }

  private static func writeParts(
    of version: ObjectVersion, after: Int, limit: Int, to xml: inout XMLWriter
  ) {
    xml.element("PartsCount", version.partCount)
    // S3 lists parts only when they have checksums that the client asked for.
    guard version.hasPartChecksums else { return }
    let rest = version.parts(after: after, limit: limit + 1)
    let page = rest.prefix(limit)
    xml.element("PartNumberMarker", after)
    xml.element("NextPartNumberMarker", page.last?.number ?? after)
    xml.element("MaxParts", limit)
    xml.element("IsTruncated", page.count < rest.count && limit > 0)
    for part in page {
      xml.element("Part") { xml in
        xml.element("PartNumber", part.number)
        xml.element("Size", part.sizeBytes)
        if let checksum = part.checksum {
          xml.element(checksum.algorithm.elementName, checksum.base64)
        }
      }
    }
  }
}
