// Signatures of the chunks of an aws-chunked body.
//
// Each chunk's signature covers the one before, beginning with the request's own: chunks can be neither changed
// nor reordered nor left out. It covers the SHA-256 of the chunk's bytes, which is computed where the body's
// other digests are, off the event loop; so the decoder (AWSChunkedDecoder.swift) only announces each chunk.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html (and sigv4-streaming-trailers.html)

import Base
import Crypto
import Synchronization

/// What the signatures of chunks continue from.
package struct ChunkSigningContext: Sendable {
  /// The request's signature, 32 bytes.
  let requestSignature: [UInt8]
  let time: CivilTime
  let scope: CredentialScope
  let key: HMACKey

  /// The request's signature as the first chunk's covers it.
  package var seedSignature: String { Hex.encode(requestSignature) }

  /// The signature of a chunk whose bytes have the digest `sha256`, behind one with the signature `previous`.
  package func chunkSignature(previous: String, sha256: [UInt8]) -> String {
    sign(
      "AWS4-HMAC-SHA256-PAYLOAD\n\(time.basic)\n\(scope.signedPart)\n\(previous)\n\(Self.emptySHA256)\n"
        + Hex.encode(sha256))
  }

  /// The signature of the trailers, each written as `name:value LF`, behind the last chunk's.
  package func trailerSignature(previous: String, trailers: [UInt8]) -> String {
    sign(
      "AWS4-HMAC-SHA256-TRAILER\n\(time.basic)\n\(scope.signedPart)\n\(previous)\n"
        + Hex.encode(Digests.sha256(trailers)))
  }

  private func sign(_ text: String) -> String { Hex.encode(key.sign(Array(text.utf8))) }

  private static let emptySHA256 = Hex.encode(Digests.sha256([]))
}

/// One chunk of an aws-chunked body, as its header announces it.
struct AnnouncedChunk: Sendable {
  let count: UInt64
  /// 64 hexadecimal digits in lower case.
  let signature: String
}

/// The chunks between the decoder, on an event loop, and the checker, on another thread.
final class ChunkAnnouncements: Sendable {
  /// Chunks announced whose bytes have not passed yet.
  ///
  /// S3 wants chunks of 8 KiB and more; with those, 4,096 are far more than what is ever in flight,
  /// and with smaller ones they bound the memory held.
  static let pendingMax = 4096

  private let pending = Mutex<Deque>(Deque())

  private struct Deque {
    var chunks: [AnnouncedChunk] = []
    var taken = 0
  }

  /// Announces a chunk before its bytes.
  ///
  /// - Throws: `InvalidChunkSizeError` when too many wait.
  func announce(_ chunk: AnnouncedChunk) throws(S3Error) {
    let fits = pending.withLock { pending in
      if pending.taken == pending.chunks.count {
        pending.chunks.removeAll(keepingCapacity: true)
        pending.taken = 0
      }
      guard pending.chunks.count < Self.pendingMax else { return false }
      pending.chunks.append(chunk)
      return true
    }
    if !fits { throw S3Error(.invalidChunkSize) }
  }

  /// The next chunk; `nil` when none waits.
  func take() -> AnnouncedChunk? {
    pending.withLock { pending in
      guard pending.taken < pending.chunks.count else { return nil }
      let chunk = pending.chunks[pending.taken]
      pending.taken += 1
      if pending.taken == Self.pendingMax / 2 {
        pending.chunks.removeFirst(pending.taken)
        pending.taken = 0
      }
      return chunk
    }
  }
}

/// Checks the chunks of one body as their bytes pass.
struct ChunkSignatureChecker {
  private let context: ChunkSigningContext
  private let announcements: ChunkAnnouncements
  private let digest = Digest(.sha256)
  private var current: AnnouncedChunk?
  /// Bytes of the current chunk that are still to come.
  private var remaining: UInt64 = 0
  private var previous: String
  /// Whether a signature was wrong, or bytes came that no chunk announced.
  private var isBroken = false

  init(_ context: ChunkSigningContext, _ announcements: ChunkAnnouncements) {
    self.context = context
    self.announcements = announcements
    previous = context.seedSignature
  }

  /// Takes the next bytes of the body.
  mutating func update(_ bytes: UnsafeRawBufferPointer) {
    var rest = bytes
    while rest.count > 0, !isBroken {
      // An empty chunk is the last one: nothing can follow it.
      guard let chunk = current ?? announcements.take(), chunk.count > 0 else {
        return isBroken = true
      }
      if current == nil { remaining = chunk.count }
      current = chunk
      let count = Int(min(UInt64(rest.count), remaining))
      digest.update(UnsafeRawBufferPointer(rebasing: rest[..<count]))
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      remaining -= UInt64(count)
      if remaining == 0 { finish(chunk) }
    }
  }

  private mutating func finish(_ chunk: AnnouncedChunk) {
    let right = context.chunkSignature(previous: previous, sha256: digest.finish())
    if !constantTimeEquals(right, chunk.signature) { isBroken = true }
    previous = right
    current = nil
  }

  /// Whether all chunks, the empty last one included, have passed with the right signatures, and
  /// the trailers have theirs if there are to be any.
  ///
  /// Call it once, at the end.
  mutating func isComplete(trailers: AWSChunkedDecoder.Trailers?) -> Bool {
    guard !isBroken, current == nil, let last = announcements.take(), last.count == 0 else {
      return false
    }
    finish(last)
    guard !isBroken else { return false }
    guard let trailers else { return true }
    guard let signature = trailers.signature else { return false }
    return constantTimeEquals(
      signature, context.trailerSignature(previous: previous, trailers: trailers.signedBytes))
  }
}
