// GetObjectTagging and DeleteObjectTagging: the tags of an object, of which none has any.
//
// Nothing can set tags yet. Clients that copy ask for them all the same: AWS CLI before each copy in parts, which fails
// without an answer. An empty set is the truth, and to delete it changes nothing.

import APICommon
import Codecs
import HTTP
import Model

/// Answers about tags of objects.
enum ObjectTagging {
  /// Answers `GET /bucket/key?tagging`.
  static func get(_ request: S3Request) async throws {
    let bucket = try await request.bucket(anyOf: .read)
    _ = try await request.object(in: bucket)
    try await request.respond(xml: "Tagging") { xml in xml.element("TagSet") { _ in } }
  }

  /// Answers `DELETE /bucket/key?tagging`.
  static func delete(_ request: S3Request) async throws {
    let bucket = try await request.bucket(anyOf: .write)
    // Who may only write must not learn which keys there are.
    let rights = bucket.permissions(of: request.caller.accessKey.id)
    if !rights.isDisjoint(with: [.read, .owner]) { _ = try await request.object(in: bucket) }
    try await request.exchange.respond(204)
  }
}
