// The names of headers about checksums.

import APICommon
import Model

/// Which headers hold a checksum, and of what.
enum ChecksumHeaders {
  private static let prefix = "x-amz-checksum-"

  /// Headers that say how to deal with checksums and hold none.
  private static let aboutChecksums: Set<String> = [
    "x-amz-checksum-algorithm", "x-amz-checksum-mode", "x-amz-checksum-type",
  ]

  private static let known = Set(ChecksumAlgorithm.allCases.map { $0.headerName })

  /// Whether the header with `name`, in lower case, holds a checksum, of whatever algorithm.
  private static func isChecksum(_ name: String) -> Bool {
    name.utf8.starts(with: prefix.utf8) && !aboutChecksums.contains(name)
  }

  /// Whether that is a checksum that cannot be compared here.
  static func isUnknown(_ name: String) -> Bool { isChecksum(name) && !known.contains(name) }
}
