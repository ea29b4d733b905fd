// GetBucketAcl and GetObjectAcl.
//
// Rights belong to access keys and buckets here, and are given with `grange bucket allow`. Clients ask for ACLs
// all the same, to show or copy them. They get what is true of the one who asks: an owner, who is the caller,
// and the caller's rights in the bucket. Other keys' rights are not a matter for those who share a bucket.

import APICommon
import Codecs
import Model

/// Answers about access control lists.
enum AccessControlLists {
  /// Answers `GET /bucket?acl`.
  static func bucket(_ request: S3Request) async throws {
    try await respond(request, try await request.bucket(anyOf: .all))
  }

  /// Answers `GET /bucket/key?acl`.
  static func object(_ request: S3Request) async throws {
    // Who may only write must not learn which keys there are.
    let bucket = try await request.bucket(anyOf: [.read, .owner])
    _ = try await request.object(in: bucket)
    try await respond(request, bucket)
  }

  private static func respond(_ request: S3Request, _ bucket: Bucket) async throws {
    let permissions = bucket.permissions(of: request.caller.accessKey.id)
    try await request.respond(xml: "AccessControlPolicy") { xml in
      request.writeOwner("Owner", to: &xml)
      xml.element("AccessControlList") { xml in
        for name in names(of: permissions) { write(name, request, to: &xml) }
      }
    }
  }

  /// S3's names of rights.
  private static func names(of permissions: Permissions) -> [String] {
    if permissions.contains([.read, .write]) || permissions.contains(.owner) {
      return ["FULL_CONTROL"]
    }
    return permissions.contains(.read) ? ["READ"] : ["WRITE"]
  }

  private static func write(_ permission: String, _ request: S3Request, to xml: inout XMLWriter) {
    xml.element("Grant") { xml in
      xml.element(
        "Grantee",
        [
          "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance", "xsi:type": "CanonicalUser",
        ]
      ) { xml in request.writeCaller(to: &xml) }
      xml.element("Permission", permission)
    }
  }
}
