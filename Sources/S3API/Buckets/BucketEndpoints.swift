// CreateBucket, HeadBucket, DeleteBucket, GetBucketLocation, GetBucketVersioning.

import APICommon
import Codecs
import HTTP
import Model

/// Operations on buckets as a whole.
enum BucketEndpoints {
  /// Answers `PUT /bucket`.
  static func create(_ request: S3Request) async throws {
    let key = request.caller.accessKey
    guard key.mayCreateBuckets else {
      throw S3Error(
        .accessDenied,
        "The access key may not create buckets; allow it with: grange key allow --create-bucket")
    }
    let region = try await request.document(root: "CreateBucketConfiguration") { document in
      guard document.children(named: "Tags").isEmpty else {
        throw S3Error(.notImplemented, "Tags of buckets are not implemented yet.")
      }
      return document.text(of: "LocationConstraint") ?? ""
    }
    if let region, !region.isEmpty, region != request.region {
      throw S3Error(
        .invalidLocationConstraint,
        "The location constraint '\(region)' is not the region '\(request.region)'.")
    }
    _ = try await request.store.buckets.create(request.bucketName, owner: key.id)
    try await request.exchange.respond(200, headers: ["location": "/\(request.bucketName)"])
  }

  /// Answers `HEAD /bucket`.
  static func head(_ request: S3Request) async throws {
    _ = try await request.bucket(anyOf: .all)
    try await request.exchange.respond(200, headers: ["x-amz-bucket-region": request.region])
  }

  /// Answers `DELETE /bucket`.
  static func delete(_ request: S3Request) async throws {
    let bucket = try await request.bucket(anyOf: .owner)
    try await request.store.buckets.delete(bucket.id)
    try await request.exchange.respond(204)
  }

  /// Answers `GET /bucket?location`.
  static func location(_ request: S3Request) async throws {
    _ = try await request.bucket(anyOf: .all)
    try await request.respond(xml: "LocationConstraint") { xml in
      // S3's first region has no name here, and SDKs take the empty text for it.
      if request.region != "us-east-1" { xml.text(request.region) }
    }
  }

  /// Answers `GET /bucket?versioning`: a bucket whose versioning was never set has no status.
  static func versioning(_ request: S3Request) async throws {
    _ = try await request.bucket(anyOf: .all)
    try await request.respond(xml: "VersioningConfiguration") { _ in }
  }
}
