// Message digests, computed by libcrypto.
//
// libcrypto 3 looks an algorithm up by name, which takes a lock and costs more than hashing a small
// message. So each algorithm is fetched once for the process, and a `Digest` keeps its context: starting
// over, updating and finishing allocate nothing inside libcrypto.
//
// MD5 and SHA-1 are here because S3 names content by them (ETag, Content-MD5, x-amz-checksum-sha1); nothing
// of Grange's own relies on them.

private import Base
private import COpenSSL

/// A digest algorithm.
package enum DigestAlgorithm: Sendable, CaseIterable {
  case md5, sha1, sha256
  /// BLAKE2b with 64 bytes of output (RFC 7693).
  case blake2b512

  /// The length of the result.
  package var outputBytes: Int {
    switch self {
    case .md5: 16
    case .sha1: 20
    case .sha256: 32
    case .blake2b512: 64
    }
  }
}

/// The digest of a message that arrives in pieces.
///
/// A digest is used by one task or thread at a time; it may be handed from one to the next.
package final class Digest: @unchecked Sendable {
  // Safe because each use is ordered after the one before by whoever hands the digest over (an event loop
  // and the blocking pool take turns); libcrypto's contexts have no thread affinity.

  /// What is computed.
  package let algorithm: DigestAlgorithm
  private let context: OpaquePointer

  /// The digest of the empty message so far.
  package init(_ algorithm: DigestAlgorithm) {
    self.algorithm = algorithm
    context = required(EVP_MD_CTX_new())
    start()
  }

  private init(copying other: Digest) {
    algorithm = other.algorithm
    context = required(EVP_MD_CTX_new())
    check(EVP_MD_CTX_copy_ex(context, other.context))
  }

  deinit { EVP_MD_CTX_free(context) }

  private func start() {
    check(EVP_DigestInit_ex2(context, FetchedDigests.pointer(algorithm), nil))
  }

  /// Appends `bytes` to the message.
  package func update(_ bytes: UnsafeRawBufferPointer) {
    check(EVP_DigestUpdate(context, bytes.baseAddress, bytes.count))
  }

  /// Appends `bytes` to the message.
  package func update(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { update($0) }
  }

  /// Appends `bytes` to the message.
  package func update(_ bytes: ArraySlice<UInt8>) {
    bytes.withUnsafeBytes { update($0) }
  }

  /// The digest of the message.
  ///
  /// The object then starts over with the empty message.
  package func finish() -> [UInt8] {
    let result = [UInt8](count: algorithm.outputBytes) { buffer in
      check(EVP_DigestFinal_ex(context, buffer.baseAddress, nil))
    }
    start()
    return result
  }

  /// Writes the first bytes of the digest over `output`, which holds at most `algorithm.outputBytes`, and
  /// starts over with the empty message.
  package func finish(into output: UnsafeMutableRawBufferPointer) {
    precondition(output.count <= algorithm.outputBytes)
    withUnsafeTemporaryAllocation(byteCount: 64, alignment: 8) { whole in
      check(EVP_DigestFinal_ex(context, whole.baseAddress, nil))
      output.copyMemory(from: UnsafeRawBufferPointer(rebasing: whole[..<output.count]))
    }
    start()
  }

  /// A digest of the same message so far, which then goes its own way.
  package func copy() -> Digest { Digest(copying: self) }
}

/// The algorithms, fetched from libcrypto at first use and kept for the life of the process.
private enum FetchedDigests {
  // Safe because an EVP_MD is immutable and its reference count atomic; these are never freed.
  nonisolated(unsafe) private static let md5 = required(EVP_MD_fetch(nil, "MD5", nil))
  // Safe because of the same.
  nonisolated(unsafe) private static let sha1 = required(EVP_MD_fetch(nil, "SHA1", nil))
  // Safe because of the same.
  nonisolated(unsafe) private static let sha256 = required(EVP_MD_fetch(nil, "SHA256", nil))
  // Safe because of the same.
  nonisolated(unsafe) private static let blake2b512 = required(
    EVP_MD_fetch(nil, "BLAKE2B-512", nil))

  static func pointer(_ algorithm: DigestAlgorithm) -> OpaquePointer {
    switch algorithm {
    case .md5: md5
    case .sha1: sha1
    case .sha256: sha256
    case .blake2b512: blake2b512
    }
  }
}
