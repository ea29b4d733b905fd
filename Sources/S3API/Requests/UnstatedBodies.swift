// Bodies that must be read before the signature can be checked.
//
// curl before version 8 (Debian 12 and Ubuntu 22.04 have such) signs the SHA-256 of the body and does not state it
// in `x-amz-content-sha256`. S3 refuses that; it is taken here, because people try a server with curl first.
// The price: whoever knows the ID of an access key, which is no secret, can have bytes of theirs kept in memory. So
// such a body is read only when the key exists and all but the signature was found right (Authenticator), and
//
//   1. one has at most `bodyBytesMax`, and
//   2. all that are in memory at once have at most `totalBytesMax` together. Beyond, clients are told to slow down: only
//      those that send bodies in this way.

import APICommon
import HTTP
import Synchronization

/// Counts and reads the bodies of one server that no header vouches for.
final class UnstatedBodies: Sendable {
  /// As large as what people send with curl by hand.
  static let bodyBytesMax = 256 << 10
  /// Little beside what a node on an old PC uses, and 32 of the largest bodies at once.
  static let totalBytesMax = 8 << 20

  private let reserved = Mutex(0)

  /// Makes room for a body of `length`, or of a length not announced.
  ///
  /// - Returns: what to `release` once nobody uses the body any more.
  func reserve(_ length: UInt64?) throws(S3Error) -> Int {
    let bytes = length ?? UInt64(Self.bodyBytesMax)
    guard bytes <= Self.bodyBytesMax else { throw Self.tooLarge }
    let hasRoom = reserved.withLock { reserved in
      guard reserved + Int(bytes) <= Self.totalBytesMax else { return false }
      reserved += Int(bytes)
      return true
    }
    guard hasRoom else {
      throw S3Error(
        .slowDown, "Too many bodies at once come without the header x-amz-content-sha256.")
    }
    return Int(bytes)
  }

  /// Gives back what `reserve` returned.
  func release(_ bytes: Int) {
    if bytes > 0 { reserved.withLock { $0 -= bytes } }
  }

  /// Reads a body for which there is room.
  nonisolated(nonsending) func collect(_ body: HTTPBody) async throws -> [UInt8] {
    do {
      return try await body.collect(maxBytes: Self.bodyBytesMax)
    } catch HTTPError.bodyTooLarge {
      throw Self.tooLarge
    }
  }

  private static var tooLarge: S3Error {
    S3Error(
      .invalidRequest,
      "A body this large needs the header x-amz-content-sha256; UNSIGNED-PAYLOAD will do.")
  }
}
