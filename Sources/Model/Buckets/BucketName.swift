// Which names a bucket may have.

/// S3's rules for bucket names
/// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html).
package enum BucketName {
  /// Checks `name`.
  ///
  /// - Throws: `invalidBucketName`.
  package static func check(_ name: String) throws(ModelError) {
    if let reason = fault(of: Array(name.utf8)) { throw .invalidBucketName(reason: reason) }
  }

  private static func fault(of name: [UInt8]) -> String? {
    guard (3...63).contains(name.count) else { return "it must have 3 to 63 characters" }
    guard name.allSatisfy({ isLetterOrDigit($0) || $0 == dot || $0 == hyphen }) else {
      return "it may hold only lowercase letters, digits, dots and hyphens"
    }
    guard let first = name.first, let last = name.last, isLetterOrDigit(first),
      isLetterOrDigit(last)
    else { return "it must begin and end with a letter or a digit" }
    for (left, right) in zip(name, name.dropFirst())
    where (left == dot && !isLetterOrDigit(right)) || (right == dot && !isLetterOrDigit(left)) {
      return "it may not hold a dot beside a dot or a hyphen"
    }
    if isAddress(name) { return "it may not look like an IP address" }
    for prefix in ["xn--", "sthree-", "amzn-s3-demo-"] where name.starts(with: prefix.utf8) {
      return "it may not begin with \(prefix)"
    }
    for suffix in ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"]
    where name.reversed().starts(with: suffix.utf8.reversed()) {
      return "it may not end with \(suffix)"
    }
    return nil
  }

  private static let dot = UInt8(ascii: ".")
  private static let hyphen = UInt8(ascii: "-")

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  private static func isAddress(_ name: [UInt8]) -> Bool {
    let parts = name.split(separator: dot, omittingEmptySubsequences: false)
    return parts.count == 4 && parts.allSatisfy { !$0.isEmpty && $0.allSatisfy(isDigit) }
  }
}
