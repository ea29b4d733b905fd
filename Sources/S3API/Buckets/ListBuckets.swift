// GET /: the buckets of a key.

import APICommon
import Base
import Codecs
import Model

/// ListBuckets.
enum ListBuckets {
  /// The most buckets of one page (S3's limit).
  private static let pageMax = 10_000

  static func handle(_ request: S3Request) async throws {
    let keyID = request.caller.accessKey.id
    let prefix = try request.target.value("prefix") ?? ""
    let after = try request.target.value("continuation-token") ?? ""
    let limit = min(try request.number("max-buckets") ?? pageMax, pageMax)
    guard limit > 0 else {
      throw S3Error(.invalidArgument, "max-buckets must be from 1 to \(pageMax).")
    }
    let named = try await request.store.buckets.list(for: keyID).map { ($0.name(for: keyID), $0) }
      .filter { $0.0.hasPrefix(prefix) && ($0.0 > after || after.isEmpty) }
      .sorted { $0.0 < $1.0 }
    let page = named.prefix(limit)
    try await request.respond(xml: "ListAllMyBucketsResult") { xml in
      request.writeOwner("Owner", to: &xml)
      xml.element("Buckets") { xml in
        for (name, bucket) in page {
          xml.element("Bucket") { xml in
            xml.element("Name", name)
            xml.element("CreationDate", CivilTime(bucket.created).iso8601Seconds)
            xml.element("BucketRegion", request.region)
          }
        }
      }
      if !prefix.isEmpty { xml.element("Prefix", prefix) }
      if let last = page.last, page.count < named.count {
        xml.element("ContinuationToken", last.0)
      }
    }
  }
}
