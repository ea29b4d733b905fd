// CopyObject: a copy inside of the cluster, with the headers of the source or with new ones.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html

import APICommon
import Base
import Codecs
import HTTP
import Model

/// Copies of objects.
enum CopyObject {
  /// How often a copy begins anew because its source was replaced meanwhile.
  private static let attemptsMax = 3

  /// Headers that ask for another object than the source is, even if it comes out the same.
  private static let changingHeaders = ["x-amz-storage-class", ObjectHeaders.redirect]

  /// Answers `PUT /bucket/key` with a copy source.
  static func handle(_ request: S3Request) async throws {
    let bucket = try await request.bucket(anyOf: .write)
    let key = try request.key()
    let replaces = try Self.replaces("metadata", request.headers)
    // No object has tags, so to copy them and to replace them by none is the same.
    _ = try Self.replaces("tagging", request.headers)
    let algorithm = try MultipartChecksums.requestedAlgorithm(request.headers)
    let changes =
      replaces || algorithm != nil || changingHeaders.contains { request.headers.contains($0) }
    var attempts = 0
    while true {
      let source = try await CopySource.find(request)
      if !changes, source.bucket == bucket.id, source.key == key {
        throw S3Error(
          .invalidRequest, "An object can be copied onto itself only to change its headers.")
      }
      let metadata = try await metadata(
        of: source, request, replacesHeaders: replaces, checksum: algorithm)
      do {
        let copy = try await request.store.objects.copy(
          source, to: bucket, key: key, metadata: metadata)
        return try await respond(request, copy)
      } catch ModelError.sourceChanged where attempts + 1 < attemptsMax {
        attempts += 1
      }
    }
  }

  /// Whether the header `x-amz-KIND-directive` asks for what the request sends, rather than for what the source has.
  private static func replaces(
    _ kind: String, _ headers: HTTPHeaders
  ) throws(S3Error) -> Bool {
    let directive = "x-amz-\(kind)-directive"
    switch headers[directive] {
    case nil, "COPY": return false
    case "REPLACE": return true
    case let other?: throw S3Error.argument(directive, other, "Unknown \(kind) directive.")
    }
  }

  private static func metadata(
    of source: ObjectVersion, _ request: S3Request, replacesHeaders: Bool,
    checksum algorithm: ChecksumAlgorithm?
  ) async throws -> ObjectMetadata {
    var metadata = source.metadata
    let sent = try ObjectHeaders.read(request.headers)
    if replacesHeaders {
      metadata.headers = sent
    } else {
      // A redirect is about a place in a website: it never comes along.
      let redirect = ObjectHeaders.redirect
      metadata.headers.removeAll { $0.name == redirect }
      metadata.headers += sent.filter { $0.name == redirect }
    }
    if let algorithm, metadata.checksums.map(\.algorithm) != [algorithm] {
      metadata.checksums = [try await checksum(algorithm, of: source, request)]
      metadata.checksumType = .fullObject
    }
    return metadata
  }

  /// The checksum of an object's bytes, which are read for it.
  ///
  /// Not computed on the event loop (BodyDigests.swift), and on the lane of reads, which no fsync holds up: the block
  /// that is read meanwhile belongs to the memory that a client without progress loses.
  private static func checksum(
    _ algorithm: ChecksumAlgorithm, of source: ObjectVersion, _ request: S3Request
  ) async throws -> ObjectChecksum {
    var hasher = ChecksumHasher(algorithm)
    try await request.store.objects.read(source, range: 0..<source.sizeBytes) { bytes in
      // Safe because the bytes stay until this closure has returned, which waits for the hashing.
      nonisolated(unsafe) let bytes = bytes
      hasher = try await request.runtime.blocking(.reading) { [hasher] in
        var hasher = hasher
        hasher.update(bytes)
        return hasher
      }
    }
    return hasher.finish()
  }

  private static func respond(_ request: S3Request, _ copy: ObjectVersion) async throws {
    try await request.respond(xml: "CopyObjectResult") { xml in
      xml.element("LastModified", CivilTime(copy.lastModified).iso8601Seconds)
      xml.element("ETag", "\"\(copy.metadata.etag)\"")
      MultipartChecksums.write(copy, to: &xml)
    }
  }
}
