// ListObjects (version 1), ListObjectsV2 and ListObjectVersions.
//
// They differ in how they say where a page begins. No bucket has versions yet, so that each object is
// the one version of its key, which S3 calls null.

import APICommon
import Base
import Codecs
import HTTP
import Model

/// Listings of objects.
enum ListObjects {
  enum Kind { case one, two, versions }

  /// Answers `GET /bucket`, with `list-type=2` or `versions`.
  static func handle(_ request: S3Request, _ kind: Kind) async throws {
    let bucket = try await request.bucket(anyOf: .read)
    let question = try ListQuestion(request, kind)
    // A page of no keys needs no look; the first key that it would hold cannot be known cheaply.
    let page =
      question.query.limit == 0
      ? nil
      : try await request.store.objects.list(bucket: bucket, question.query)
    try await request.respond(xml: kind == .versions ? "ListVersionsResult" : "ListBucketResult") {
      xml in
      question.write(page, request, to: &xml)
    }
  }
}

/// A question for a page, as the query words it.
struct ListQuestion {
  /// S3's limit on a page.
  static let keysMax = 1000

  let query: ListQuery
  private let kind: ListObjects.Kind
  private let maxKeys: Int
  private let encodesURL: Bool
  private let marker: String?
  private let versionMarker: String
  private let startAfter: String?
  private let token: String?
  private let writesOwner: Bool

  init(_ request: S3Request, _ kind: ListObjects.Kind) throws(S3Error) {
    let target = request.target
    self.kind = kind
    maxKeys = try request.pageLimit("max-keys", max: Self.keysMax)
    encodesURL = try Self.encodesURL(target)
    versionMarker = kind == .versions ? try Self.versionMarker(target) : ""
    var query = ListQuery(
      prefix: Array(try target.text("prefix").utf8),
      delimiter: Array(try target.text("delimiter").utf8), limit: maxKeys)
    switch kind {
    case .one, .versions:
      marker = try target.text(kind == .one ? "marker" : "key-marker")
      startAfter = nil
      token = nil
      writesOwner = true
      query.after = query.position(marker: Array((marker ?? "").utf8))
    case .two:
      marker = nil
      startAfter = try target.value("start-after")
      token = try target.value("continuation-token")
      writesOwner = try target.value("fetch-owner") == "true"
      // Without a value it would mean the first page, for ever.
      if let token {
        query.after = try ContinuationToken.decode(token)
      } else if let startAfter, !startAfter.isEmpty {
        // Unlike a marker, this is never a common prefix of the page before: keys below it may come.
        query.after = .afterKey(Array(startAfter.utf8))
      }
    }
    self.query = query
  }

  /// The marker of a version, which says nothing more than the key's: that key has no version after it.
  private static func versionMarker(_ target: RequestTarget) throws(S3Error) -> String {
    guard let marker = try target.value("version-id-marker") else { return "" }
    let fault: String
    if marker.isEmpty {
      fault = "A version-id marker cannot be empty."
    } else if try target.text("key-marker").isEmpty {
      fault = "A version-id marker cannot be specified without a key marker."
    } else if marker != "null" {
      fault = "Invalid version id specified"
    } else {
      return marker
    }
    throw S3Error.argument("version-id-marker", marker, fault)
  }

  /// Whether keys are to be percent-encoded, for XML cannot hold all of them.
  static func encodesURL(_ target: RequestTarget) throws(S3Error) -> Bool {
    switch try target.value("encoding-type") {
    case nil: return false
    case "url": return true
    case let type?:
      throw S3Error.argument(
        "encoding-type", type, "Invalid Encoding Method specified in Request")
    }
  }

  /// Writes the answer, but its root element.
  func write(_ page: ListPage?, _ request: S3Request, to xml: inout XMLWriter) {
    xml.element("Name", request.bucketName)
    xml.element("Prefix", text(query.prefix))
    if !query.delimiter.isEmpty { xml.element("Delimiter", text(query.delimiter)) }
    xml.element("MaxKeys", maxKeys)
    if encodesURL { xml.element("EncodingType", "url") }
    xml.element("IsTruncated", page?.next != nil)
    switch kind {
    case .one: writePosition1(page, to: &xml)
    case .two: writePosition2(page, to: &xml)
    case .versions: writePositionOfVersions(page, to: &xml)
    }
    for object in page?.objects ?? [] { write(object, request, to: &xml) }
    for prefix in page?.commonPrefixes ?? [] {
      xml.element("CommonPrefixes") { xml in xml.element("Prefix", text(prefix)) }
    }
  }

  private func writePosition1(_ page: ListPage?, to xml: inout XMLWriter) {
    xml.element("Marker", text(Array((marker ?? "").utf8)))
    // Without a delimiter the last key is the next marker.
    if !query.delimiter.isEmpty, let next = page?.next?.marker {
      xml.element("NextMarker", text(next))
    }
  }

  private func writePositionOfVersions(_ page: ListPage?, to xml: inout XMLWriter) {
    xml.element("KeyMarker", text(Array((marker ?? "").utf8)))
    xml.element("VersionIdMarker", versionMarker)
    guard let next = page?.next, let marker = next.marker else { return }
    xml.element("NextKeyMarker", text(marker))
    if case .afterKey = next { xml.element("NextVersionIdMarker", "null") }
  }

  private func writePosition2(_ page: ListPage?, to xml: inout XMLWriter) {
    xml.element("KeyCount", (page?.objects.count ?? 0) + (page?.commonPrefixes.count ?? 0))
    if let startAfter { xml.element("StartAfter", text(Array(startAfter.utf8))) }
    if let token { xml.element("ContinuationToken", token) }
    if let next = page?.next.flatMap(ContinuationToken.encode) {
      xml.element("NextContinuationToken", next)
    }
  }

  private func write(_ object: ListedObject, _ request: S3Request, to xml: inout XMLWriter) {
    xml.element(kind == .versions ? "Version" : "Contents") { xml in
      if encodesURL {
        xml.element(
          "Key", percentEncoding: object.key.bytes, allowed: .unreservedAndSlash)
      } else {
        xml.element("Key", utf8: object.key.bytes)
      }
      if kind == .versions {
        xml.element("VersionId", "null")
        xml.element("IsLatest", true)
      }
      xml.element("LastModified", CivilTime(object.lastModified).iso8601Seconds)
      xml.element("ETag") { xml in
        xml.text("\"")
        xml.text(object.etag)
        xml.text("\"")
      }
      for algorithm in object.checksumAlgorithms {
        xml.element("ChecksumAlgorithm", algorithm.name)
        xml.element("ChecksumType", object.checksumType.name)
      }
      xml.element("Size", object.sizeBytes)
      if writesOwner { request.writeOwner("Owner", to: &xml) }
      xml.element("StorageClass", "STANDARD")
    }
  }

  private func text(_ bytes: [UInt8]) -> String {
    encodesURL
      ? PercentCoding.encode(bytes, allowed: .unreservedAndSlash)
      : String(decoding: bytes, as: UTF8.self)
  }
}

extension RequestTarget {
  /// The value of a parameter; the empty text without one.
  func text(_ name: StaticString) throws(S3Error) -> String {
    try value(name) ?? ""
  }
}
