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
    let limit = try request.number("max-buckets") ?? pageMax
    guard (1...pageMax).contains(limit) else {
      throw S3Error.argument(
        "max-buckets", String(limit),
        "Argument max-buckets must be an integer between 1 and \(pageMax).")
    }
    // All buckets are in one region.
    let region = try request.target.text("bucket-region")
    let buckets =
      region.isEmpty || region == request.region
      ? try await request.store.buckets.list(for: keyID) : []
    let named = buckets.map { ($0.name(for: keyID), $0) }
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
