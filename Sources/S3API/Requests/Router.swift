// From method, address and query to an operation.
//
// S3 tells operations apart by query parameters: `GET /bucket` lists, `GET /bucket?acl` reads an ACL. A
// parameter that selects another operation must never be overlooked, or `DELETE /bucket?policy` would delete
// the bucket. So all such parameters are known here, and a combination that is not implemented is 501; what
// was never set can be read and deleted (UnsetConfiguration.swift). Other parameters are ignored, as S3 does.

package import APICommon
import Base
import Codecs

/// Chooses operations.
package enum Router {
  /// The query parameters that select an operation.
  private static let selectors: [StaticString] = [
    "abac", "accelerate", "acl", "analytics", "annotation", "append", "attributes", "cors",
    "delete", "encryption", "intelligent-tiering", "inventory", "legal-hold", "lifecycle",
    "location", "logging", "metadataAnnotationTable", "metadataConfiguration",
    "metadataInventoryTable", "metadataJournalTable", "metadataTable", "metrics", "notification",
    "object-lock",
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
      operation = try objectOperation(method, selected, target)
    }
    if let operation { return operation }
    guard ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"].contains(method) else {
      throw notAllowed(method, address)
    }
    throw S3Error(.notImplemented)
  }

  /// The selectors of a query, sorted and joined with `+`.
  private static func selectors(in target: RequestTarget) throws(S3Error) -> String {
    guard !target.query.isEmpty else { return "" }
    var found: [String] = []
    for selector in selectors where target.has(selector) { found.append("\(selector)") }
    // Without versioning each object has one version, which S3 calls null.
    switch try target.value("versionId") {
    case "null": found.removeAll { $0 == "versionId" }
    case "": throw S3Error.argument("versionId", "", "Version id cannot be the empty string")
    default: break
    }
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
      case let type?:
        throw S3Error.argument("list-type", type, "Invalid List Type specified in Request")
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
    default:
      return UnsetConfiguration.ofBucket(method, selected, hasID: target.has("id"))
    }
  }

  private static func objectOperation(
    _ method: String, _ selected: String, _ target: RequestTarget
  ) throws(S3Error) -> S3Operation? {
    switch (method, selected) {
    case ("GET", ""), ("GET", "partNumber"): return .getObject
    case ("GET", "acl"): return .getObjectACL
    case ("GET", "attributes"): return .getObjectAttributes
    case ("GET", "tagging"): return .getObjectTagging
    case ("HEAD", ""), ("HEAD", "partNumber"): return .headObject
    case ("PUT", ""): return .putObject
    case ("DELETE", ""): return .deleteObject
    case ("POST", "uploads"): return .createMultipartUpload
    case ("PUT", "partNumber+uploadId"): return .uploadPart
    case ("POST", "uploadId"): return .completeMultipartUpload
    case ("DELETE", "uploadId"): return .abortMultipartUpload
    case ("GET", "uploadId"): return .listParts
    case ("DELETE", "tagging"): return .deleteObjectTagging
    // What S3 says of these tells a client what it mixed up.
    case ("GET", "uploads"):
      throw S3Error(
        .invalidRequest, "Key is not expected for the GET method ?uploads subresource")
    case ("GET", "versions"):
      throw S3Error(
        .invalidRequest, "There is no such thing as the ?versions sub-resource for a key")
    case ("PUT", "partNumber"):
      throw S3Error.argument(
        "partNumber", try target.text("partNumber"),
        "This operation does not accept partNumber without uploadId")
    default: return UnsetConfiguration.ofObject(method, selected)
    }
  }

  private static func notAllowed(_ method: String, _ address: RequestAddress) -> S3Error {
    let type = address.bucket == nil ? "SERVICE" : address.key == nil ? "BUCKET" : "OBJECT"
    return S3Error(
      .methodNotAllowed,
      details: [S3Error.Detail("Method", method), S3Error.Detail("ResourceType", type)])
  }
}
