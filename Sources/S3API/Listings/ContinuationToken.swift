// Where the next page of a listing begins, as an opaque text.
//
// Golden: base 64 of one byte, `k` (after this key) or `p` (after all keys with this prefix), and the key's
// or prefix's bytes. A client may keep a token across an update of the program.

package import APICommon
import Crypto
package import Model

/// Continuation tokens of ListObjectsV2.
package enum ContinuationToken {
  /// The token for a position behind the start.
  package static func encode(_ position: ListPosition) -> String? {
    switch position {
    case .start: nil
    case .afterKey(let key): Base64.encode([UInt8(ascii: "k")] + key)
    case .afterPrefix(let prefix): Base64.encode([UInt8(ascii: "p")] + prefix)
    }
  }

  /// The position of a token.
  ///
  /// - Throws: `InvalidArgument` when it is none of ours.
  package static func decode(_ token: String) throws(S3Error) -> ListPosition {
    guard let bytes = Base64.decode(token), bytes.count <= ObjectKey.bytesMax + 1 else {
      throw invalid
    }
    switch bytes.first {
    case UInt8(ascii: "k"): return .afterKey(Array(bytes.dropFirst()))
    case UInt8(ascii: "p"): return .afterPrefix(Array(bytes.dropFirst()))
    default: throw invalid
    }
  }

  private static var invalid: S3Error {
    S3Error(
      .invalidArgument, "The continuation token provided is incorrect",
      details: [S3Error.Detail("ArgumentName", "continuation-token")])
  }
}
