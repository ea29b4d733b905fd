// Digests of whole messages, with contexts that are kept for the next caller.

package import Base
private import Synchronization

/// Digests of messages that are in memory as a whole.
package enum Digests {
  private static let pools: [DigestPool] = DigestAlgorithm.allCases.map(DigestPool.init)

  /// The MD5 (16 bytes) of `message`.
  package static func md5(_ message: [UInt8]) -> [UInt8] { digest(message, .md5) }

  /// The SHA-1 (20 bytes) of `message`.
  package static func sha1(_ message: [UInt8]) -> [UInt8] { digest(message, .sha1) }

  /// The SHA-256 (32 bytes) of `message`.
  package static func sha256(_ message: [UInt8]) -> [UInt8] { digest(message, .sha256) }

  /// The name of a block: the first 256 bits of the BLAKE2b-512 of its bytes.
  package static func blockHash(_ block: UnsafeRawBufferPointer) -> BlockHash {
    with(.blake2b512) { digest in
      digest.update(block)
      return blockHash(finishing: digest)
    }
  }

  /// The name of the block whose bytes `digest`, a BLAKE2b-512, was fed with.
  ///
  /// The digest starts over.
  package static func blockHash(finishing digest: Digest) -> BlockHash {
    precondition(digest.algorithm == .blake2b512)
    return withUnsafeTemporaryAllocation(byteCount: BlockHash.byteCount, alignment: 8) { bytes in
      digest.finish(into: bytes)
      guard let hash = BlockHash(UnsafeRawBufferPointer(bytes)) else {
        preconditionFailure("a block hash has \(BlockHash.byteCount) bytes")
      }
      return hash
    }
  }

  /// The digest of `message` by `algorithm`.
  package static func digest(_ message: [UInt8], _ algorithm: DigestAlgorithm) -> [UInt8] {
    with(algorithm) { digest in
      digest.update(message)
      return digest.finish()
    }
  }

  /// Hands the SHA-256 (32 bytes) of `message` to `body`, without an array.
  package static func withSHA256(
    _ message: [UInt8], _ body: (UnsafeRawBufferPointer) -> Void
  ) {
    withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { bytes in
      with(.sha256) { digest in
        digest.update(message)
        digest.finish(into: bytes)
      }
      body(UnsafeRawBufferPointer(bytes))
    }
  }

  private static func with<Result>(
    _ algorithm: DigestAlgorithm, _ body: (Digest) -> Result
  ) -> Result {
    let pool = pools[index(algorithm)]
    let digest = pool.take()
    defer { pool.put(digest) }
    return body(digest)
  }

  private static func index(_ algorithm: DigestAlgorithm) -> Int {
    switch algorithm {
    case .md5: 0
    case .sha1: 1
    case .sha256: 2
    case .blake2b512: 3
    }
  }
}

/// Digests that wait for their next use, all at the empty message.
final class DigestPool: Sendable {
  /// More threads than this never hash at once on the machines Grange is for; one that finds no digest
  /// makes its own.
  private static let keptMax = 32

  private let algorithm: DigestAlgorithm
  private let kept = Mutex<[Digest]>([])

  init(_ algorithm: DigestAlgorithm) { self.algorithm = algorithm }

  func take() -> Digest { kept.withLock { $0.popLast() } ?? Digest(algorithm) }

  func put(_ digest: Digest) {
    kept.withLock { if $0.count < Self.keptMax { $0.append(digest) } }
  }
}
