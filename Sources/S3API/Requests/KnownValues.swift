// Headers whose value is one of a list of S3's, and changes nothing here.
//
// There is one storage class, and no ACL makes anything public, so these headers are ignored. A value that S3 does not
// know is refused all the same, as S3 does: whoever sent it believes to have asked for something. An empty one asks for
// nothing.

package import APICommon
package import HTTP

/// Refuses made-up storage classes and canned ACLs.
package enum KnownValues {
  private static let storageClassHeader = "x-amz-storage-class"
  private static let aclHeader = "x-amz-acl"

  // https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
  private static let storageClasses: Set<String> = [
    "STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER",
    "DEEP_ARCHIVE", "OUTPOSTS", "GLACIER_IR", "SNOW", "EXPRESS_ONEZONE", "FSX_OPENZFS", "FSX_ONTAP",
  ]

  // https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl
  private static let cannedACLs: Set<String> = [
    "private", "public-read", "public-read-write", "aws-exec-read", "authenticated-read",
    "bucket-owner-read", "bucket-owner-full-control", "log-delivery-write",
  ]

  /// Checks the headers that `operation` takes.
  ///
  /// - Throws: `InvalidStorageClass`, `InvalidArgument`.
  package static func check(
    _ operation: S3Operation, _ headers: HTTPHeaders
  ) throws(S3Error) {
    switch operation {
    case .putObject, .copyObject, .createMultipartUpload:
      if let name = headers[storageClassHeader], !name.isEmpty, !storageClasses.contains(name) {
        throw S3Error(
          .invalidStorageClass, details: [S3Error.Detail("StorageClassRequested", name)])
      }
    case .createBucket: break
    default: return
    }
    if let name = headers[aclHeader], !name.isEmpty, !cannedACLs.contains(name) {
      throw S3Error(
        .invalidArgument, "There is no canned ACL of this name.",
        details: [
          S3Error.Detail("ArgumentName", aclHeader), S3Error.Detail("ArgumentValue", name),
        ])
    }
  }
}
