// The digests of a body, computed while its bytes are stored.
//
// One pass over each piece feeds everything that is asked for: MD5 (the ETag), the SHA-256 of the signature, a
// checksum, the signatures of chunks. It happens on the thread that stores the piece, not on the event
// loop: 1 MiB takes 2 to 4 ms.

import Crypto
package import Model
import Synchronization

/// What was found out about a body.
package struct BodySummary: Sendable {
  /// The MD5 of the plain bytes; empty when it was left out.
  package let md5: [UInt8]
  /// The checksum that the client sent, verified, or that was asked for.
  package let checksum: ObjectChecksum?
  /// The checksum that was asked for, when the client sent another.
  package let otherChecksum: ObjectChecksum?
  /// The number of plain bytes.
  package let size: UInt64

  /// All checksums.
  package var checksums: [ObjectChecksum] { [checksum, otherChecksum].compactMap(\.self) }
}

/// Digests the plain bytes of one body, and compares with what the request claims.
package final class BodyDigests: Sendable {
  private struct State {
    var md5: Digest? = Digest(.md5)
    var sha256: Digest?
    var checksum: ChecksumHasher?
    var otherChecksum: ChecksumHasher?
    var chunks: ChunkSignatureChecker?
    var size: UInt64 = 0
  }

  private let claims: BodyClaims
  private let state: Mutex<State>
  /// Chunks on their way from the decoder.
  let announcements = ChunkAnnouncements()

  /// Digests for `claims`, and the checksum by `algorithm` too when the client sends none, or in any case.
  package init(
    _ claims: BodyClaims, computing algorithm: ChecksumAlgorithm? = nil, always: Bool = false
  ) {
    self.claims = claims
    var state = State()
    if case .sha256 = claims.payload { state.sha256 = Digest(.sha256) }
    state.checksum = (claims.checksumAlgorithm ?? algorithm).map { ChecksumHasher($0) }
    if always, let algorithm, let claimed = claims.checksumAlgorithm, claimed != algorithm {
      state.otherChecksum = ChecksumHasher(algorithm)
    }
    state.chunks = claims.chunks.map { [announcements] in ChunkSignatureChecker($0, announcements) }
    self.state = Mutex(state)
  }

  /// Computes no MD5 unless the client sent one: a body that is read and not stored needs none.
  func leaveOutMD5() {
    if claims.contentMD5 == nil { state.withLock { $0.md5 = nil } }
  }

  /// Takes the next plain bytes, in order, on any thread.
  package func observe(_ bytes: UnsafeRawBufferPointer) {
    state.withLock { state in
      state.md5?.update(bytes)
      state.sha256?.update(bytes)
      state.checksum?.update(bytes)
      state.otherChecksum?.update(bytes)
      state.chunks?.update(bytes)
      state.size += UInt64(bytes.count)
    }
  }

  /// As below, for bytes without trailers.
  package func finish() throws(S3Error) -> BodySummary {
    try finish(trailers: AWSChunkedDecoder.Trailers())
  }

  /// Compares everything, once all bytes have been observed.
  ///
  /// - Throws: the error of the first claim that does not hold: the body must not be stored.
  func finish(trailers: AWSChunkedDecoder.Trailers) throws(S3Error) -> BodySummary {
    let found = state.withLock { state in
      Found(
        summary: BodySummary(
          md5: state.md5?.finish() ?? [], checksum: state.checksum?.finish(),
          otherChecksum: state.otherChecksum?.finish(), size: state.size),
        sha256: state.sha256?.finish(),
        chunksAreRight: state.chunks?.isComplete(trailers: hasTrailer ? trailers : nil) ?? true)
    }
    if let length = claims.plainLength, length != found.summary.size {
      throw S3Error(.incompleteBody)
    }
    if case .sha256(let claimed) = claims.payload, claimed != found.sha256 {
      throw S3Error.wrongSHA256(claimed, found.sha256)
    }
    guard found.chunksAreRight else {
      throw S3Error(.signatureDoesNotMatch, "The signature of a chunk of the body is wrong.")
    }
    if let claimed = claims.contentMD5, claimed != found.summary.md5 {
      throw S3Error.badMD5(claimed, found.summary.md5)
    }
    try compareChecksum(claims.checksum, found.summary)
    try compareChecksum(trailerChecksum(trailers), found.summary)
    return found.summary
  }

  private func compareChecksum(_ claimed: ObjectChecksum?, _ found: BodySummary) throws(S3Error) {
    guard let claimed, claimed != found.checksum else { return }
    throw S3Error.badChecksum(claimed.algorithm)
  }

  private struct Found: Sendable {
    let summary: BodySummary
    let sha256: [UInt8]?
    let chunksAreRight: Bool
  }

  private var hasTrailer: Bool {
    if case .chunked(_, hasTrailer: true) = claims.payload { return true }
    return false
  }

  private func trailerChecksum(
    _ trailers: AWSChunkedDecoder.Trailers
  ) throws(S3Error) -> ObjectChecksum? {
    let algorithm = claims.trailerAlgorithm
    // One that nobody announced would be taken for a checksum that was compared.
    guard trailers.fields.map(\.name) == (algorithm.map { [$0.headerName] } ?? []) else {
      throw S3Error(.malformedTrailer)
    }
    guard let algorithm, let trailer = trailers.fields.first else { return nil }
    guard let checksum = ObjectChecksum(algorithm, base64: trailer.value) else {
      throw S3Error(.invalidRequest, "The trailer \(algorithm.headerName) is not valid.")
    }
    return checksum
  }
}
