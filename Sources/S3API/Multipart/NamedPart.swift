// The parts that a completion names, and the checksums that it says they have.

package import APICommon
import Base
package import Codecs
package import Model

/// A part as the document names it.
package struct NamedPart: Equatable, Sendable {
  package let number: Int
  /// Without quotes.
  package let etag: String
  package let checksums: [ObjectChecksum]

  /// The parts of a `CompleteMultipartUpload`, from 1 to 10,000.
  ///
  /// - Throws: `MalformedXML`; `InvalidArgument` for a number below 1; `InvalidPart` when a checksum cannot be read.
  package static func all(in document: XMLElement) throws(S3Error) -> [NamedPart] {
    let elements = document.children(named: "Part")
    guard (1...MultipartUploads.partNumberMax).contains(elements.count) else {
      throw S3Error(.malformedXML, "A completion names from 1 to 10,000 parts.")
    }
    var parts: [NamedPart] = []
    for element in elements { parts.append(try NamedPart(element)) }
    return parts
  }

  /// Reads a `Part`.
  ///
  /// - Throws: as `all`.
  package init(_ element: XMLElement) throws(S3Error) {
    guard let text = element.trimmedText(of: "PartNumber"),
      let etag = element.trimmedText(of: "ETag")
    else { throw Self.incomplete }
    let isNegative = text.hasPrefix("-")
    guard let number = Int(digits: text.utf8.dropFirst(isNegative ? 1 : 0)) else {
      throw Self.incomplete
    }
    guard number >= 1, !isNegative else {
      throw S3Error(
        .invalidArgument, "PartNumber must be >= 1",
        details: [
          S3Error.Detail("ArgumentName", "partNumber"), S3Error.Detail("ArgumentValue", text),
        ])
    }
    self.number = number
    self.etag = String(
      decoding: etag.utf8.filter { $0 != UInt8(ascii: "\"") }, as: UTF8.self)
    var checksums: [ObjectChecksum] = []
    for algorithm in ChecksumAlgorithm.allCases {
      guard let text = element.text(of: "\(algorithm.elementName)") else { continue }
      guard let checksum = ObjectChecksum(algorithm, base64: text) else {
        throw S3Error(.invalidPart, details: [S3Error.Detail("PartNumber", String(number))])
      }
      checksums.append(checksum)
    }
    self.checksums = checksums
  }

  /// Compares the checksums with those of the part as it was uploaded.
  ///
  /// - Throws: `InvalidPart`, `BadDigest`; `InvalidRequest` without a checksum where the object's is made of them.
  func check(against part: UploadedPart, of upload: MultipartUpload) throws(S3Error) {
    let wanted = upload.checksumAlgorithm
    for checksum in checksums where !part.checksums.contains(checksum) {
      if let wanted, wanted != checksum.algorithm {
        throw S3Error(
          .badDigest,
          "The \(checksum.algorithm.name.lowercased()) you specified for part \(number) did not "
            + "match what we received.")
      }
      throw S3Error(.invalidPart, details: [S3Error.Detail("PartNumber", String(number))])
    }
    if let wanted, upload.metadata.checksumType == .composite, checksums.isEmpty {
      throw S3Error(
        .invalidRequest,
        "The upload was created using a \(wanted.name.lowercased()) checksum. The complete request "
          + "must include the checksum for each part. It was missing for part \(number) in the "
          + "request.")
    }
  }

  private static var incomplete: S3Error {
    S3Error(.malformedXML, "Each part needs a PartNumber and an ETag.")
  }
}
