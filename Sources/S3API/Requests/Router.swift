// From method, address and query to an operation.
//
// S3 tells operations apart by query parameters: `GET /bucket` lists, `GET /bucket?acl` reads an ACL. A
// parameter that selects another operation must never be overlooked, or `DELETE /bucket?policy` would delete
// the bucket. So all such parameters are known here, and a combination that is not implemented is 501. Other
// parameters are ignored, as S3 does.

package import APICommon
import Base
import Codecs

/// Chooses operations.
package enum Router {
  /// The query parameters that select an operation.
  private static let selectors: [StaticString] = [
    "abac", "accelerate", "acl", "analytics", "annotations", "append", "attributes", "cors",
    "delete", "encryption", "intelligent-tiering", "inventory", "legal-hold", "lifecycle",
    "location", "logging", "metadataConfiguration", "metadataInventoryTable",
    "metadataJournalTable", "metadataTable", "metrics", "notification", "object-lock",
    "ownershipControls", "partNumber", "policy", "policyStatus", "publicAccessBlock",
    "renameObject", "replication", "requestPayment", "restore", "retention", "select", "session",
    "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning", "versions", "website",
  ]

  /// The operation of a request.
  ///
  /// - Throws: `NotImplemented`, `MethodNotAllowed`, `InvalidArgument`.
  package static func route(
    _ method: String, _ address: RequestAddress, _ target: RequestTarget
  ) throws(S3Error) -> S3Operation {
    let selected = try selectors(in: target)
    let operation: S3Operation?
    if address.bucket == nil {
      operation = method == "GET" && selected.isEmpty ? .listBuckets : nil
    } else if address.key == nil {
      operation = try bucketOperation(method, selected, target)
    } else {
      operation = objectOperation(method, selected)
    }
    if let operation { return operation }
    guard ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"].contains(method) else {
      throw S3Error(.methodNotAllowed)
    }
    throw S3Error(.notImplemented)
  }

  /// The selectors of a query, sorted and joined with `+`.
  private static func selectors(in target: RequestTarget) throws(S3Error) -> String {
    guard !target.query.isEmpty else { return "" }
    var found: [String] = []
    for selector in selectors where target.has(selector) { found.append("\(selector)") }
    // Without versioning each object has one version, which S3 calls null.
    if try target.value("versionId") == "null" { found.removeAll { $0 == "versionId" } }
    return found.joined(separator: "+")
  }

  private static func bucketOperation(
    _ method: String, _ selected: String, _ target: RequestTarget
  ) throws(S3Error) -> S3Operation? {
    switch (method, selected) {
    case ("GET", ""):
      switch try target.value("list-type") {
      case nil: return .listObjects
      case "2": return .listObjectsV2
      default: throw S3Error(.invalidArgument, "The list-type must be 2.")
      }
    case ("GET", "acl"): return .getBucketACL
    case ("GET", "location"): return .getBucketLocation
    case ("GET", "versioning"): return .getBucketVersioning
    case ("GET", "versions"): return .listObjectVersions
    case ("GET", "uploads"): return .listMultipartUploads
    case ("HEAD", ""): return .headBucket
    case ("PUT", ""): return .createBucket
    case ("DELETE", ""): return .deleteBucket
    case ("POST", "delete"): return .deleteObjects
    default: return nil
    }
  }

  private static func objectOperation(_ method: String, _ selected: String) -> S3Operation? {
    switch (method, selected) {
    case ("GET", ""), ("GET", "partNumber"): .getObject
    case ("GET", "acl"): .getObjectACL
    case ("GET", "attributes"): .getObjectAttributes
    case ("GET", "tagging"): .getObjectTagging
    case ("HEAD", ""), ("HEAD", "partNumber"): .headObject
    case ("PUT", ""): .putObject
    case ("DELETE", ""): .deleteObject
    case ("POST", "uploads"): .createMultipartUpload
    case ("PUT", "partNumber+uploadId"): .uploadPart
    case ("POST", "uploadId"): .completeMultipartUpload
    case ("DELETE", "uploadId"): .abortMultipartUpload
    case ("GET", "uploadId"): .listParts
    default: nil
    }
  }
}
