// CreateBucket, HeadBucket, DeleteBucket, GetBucketLocation, GetBucketVersioning.

import APICommon
import Codecs
import HTTP
import Model

/// Operations on buckets as a whole.
enum BucketEndpoints {
  /// S3's first region, where some things are as they were before there were others.
  private static let firstRegion = "us-east-1"

  /// Answers `PUT /bucket`.
  static func create(_ request: S3Request) async throws {
    var key = request.caller.accessKey
    if !key.mayCreateBuckets { key = try await request.store.accessKeys.current(key) }
    guard key.mayCreateBuckets else {
      throw S3Error(
        .accessDenied,
        "The access key may not create buckets; allow it with: grange key allow --create-bucket")
    }
    let constraint = try await request.document(root: "CreateBucketConfiguration") { document in
      guard document.children(named: "Tags").isEmpty else {
        throw S3Error(.notImplemented, "Tags of buckets are not implemented yet.")
      }
      return document.text(of: "LocationConstraint") ?? ""
    }
    if let constraint, !constraint.isEmpty { try check(constraint, request) }
    do {
      _ = try await request.store.buckets.create(request.bucketName, owner: key.id)
    } catch ModelError.bucketAlreadyOwnedByYou where request.region == firstRegion {
      // There it is no error, for the sake of programs older than the other regions.
    }
    try await request.exchange.respond(200, headers: ["location": "/\(request.bucketName)"])
  }

  /// Refuses a bucket that is to be elsewhere.
  ///
  /// S3's first region has no name in a constraint, and may not be named there.
  private static func check(_ constraint: String, _ request: S3Request) throws(S3Error) {
    if request.region == firstRegion {
      throw S3Error(
        .invalidLocationConstraint,
        details: [S3Error.Detail("LocationConstraint", constraint)])
    }
    guard constraint == request.region else {
      throw S3Error(
        .illegalLocationConstraint,
        """
        The \(constraint) location constraint is incompatible for the region specific endpoint \
        this request was sent to.
        """)
    }
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
      if request.region != firstRegion { xml.text(request.region) }
    }
  }

  /// Answers `GET /bucket?versioning`: a bucket whose versioning was never set has no status.
  static func versioning(_ request: S3Request) async throws {
    _ = try await request.bucket(anyOf: .all)
    try await request.respond(xml: "VersioningConfiguration") { _ in }
  }
}
