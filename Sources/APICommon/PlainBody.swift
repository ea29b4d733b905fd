// The plain bytes of a request's body: aws-chunked coding removed, claims checked at the end.

import HTTP
package import Model

/// Reads one body.
///
/// Who stores a body reads it to its end, lets `digests` observe every byte, and then calls `finish`: only
/// when that returns is the body what the client meant.
package final class PlainBody {
  /// Reads coded bytes; 0 at the end.
  package typealias Source =
    nonisolated(nonsending) (UnsafeMutableRawBufferPointer) async throws -> Int

  /// What the request says about the body.
  package let claims: BodyClaims
  /// Computes the digests; its `observe` may be called on any thread.
  package let digests: BodyDigests
  private let source: Source
  private var decoder: AWSChunkedDecoder?
  private var isAtEnd = false

  /// The plain form of the body that `source` reads.
  ///
  /// - Parameters:
  ///   - algorithm: of the checksum to compute when the client sends none.
  ///   - always: Whether to compute it also when the client sends another.
  package init(
    _ claims: BodyClaims, computing algorithm: ChecksumAlgorithm? = nil, always: Bool = false,
    source: @escaping Source
  ) {
    self.claims = claims
    self.source = source
    digests = BodyDigests(claims, computing: algorithm, always: always)
    if case .chunked(let isSigned, let hasTrailer) = claims.payload {
      decoder = AWSChunkedDecoder(
        isSigned: isSigned, hasTrailer: hasTrailer, decodedLength: claims.plainLength ?? 0)
    }
  }

  /// Reads at least one plain byte into `buffer` and returns how many; 0 at the end.
  ///
  /// - Throws: `S3Error` when the body ends early, comes too slowly or is malformed.
  package nonisolated(nonsending) func read(
    into buffer: UnsafeMutableRawBufferPointer
  ) async throws -> Int {
    while !isAtEnd {
      let count = try await readCoded(into: buffer)
      if count == 0 {
        try decoder?.finish()
        isAtEnd = true
      } else if decoder == nil {
        return count
      } else {
        let coded = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
        let plain = try decode(coded)
        if plain > 0 { return plain }
      }
    }
    return 0
  }

  private func decode(_ coded: UnsafeMutableRawBufferPointer) throws(S3Error) -> Int {
    let announcements = digests.announcements
    return try decoder?.decode(coded) { (count, signature) throws(S3Error) in
      try announcements.announce(AnnouncedChunk(count: count, signature: signature))
    } ?? coded.count
  }

  private nonisolated(nonsending) func readCoded(
    into buffer: UnsafeMutableRawBufferPointer
  ) async throws -> Int {
    do {
      return try await source(buffer)
    } catch let error as HTTPError {
      if let error = S3Error(body: error) { throw error }
      throw error
    }
  }

  /// Checks all claims, once `read` has returned 0 and the digests have observed every byte.
  ///
  /// - Throws: the error of the first claim that does not hold.
  package func finish() throws(S3Error) -> BodySummary {
    guard isAtEnd else { throw S3Error(.incompleteBody) }
    return try digests.finish(trailers: decoder?.trailers ?? AWSChunkedDecoder.Trailers())
  }

  /// Reads and checks all of a small body, such as an XML document.
  ///
  /// - Parameter keeps: is told how much has been read, each time before more is waited for.
  /// - Throws: `tooLarge` when it is longer than `maxBytes`, and as `read` and `finish`.
  package nonisolated(nonsending) func collect(
    maxBytes: Int, tooLarge: S3Error, keeps: (Int) -> Void = { _ in }
  ) async throws -> [UInt8] {
    if let length = claims.plainLength, length > UInt64(maxBytes) { throw tooLarge }
    digests.leaveOutMD5()
    var bytes: [UInt8] = []
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 << 10, alignment: 16)
    defer { piece.deallocate() }
    while true {
      let count = try await read(into: piece)
      if count == 0 { break }
      guard bytes.count + count <= maxBytes else { throw tooLarge }
      let plain = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(piece)[..<count])
      digests.observe(plain)
      bytes.append(contentsOf: plain)
      keeps(bytes.count)
    }
    _ = try finish()
    return bytes
  }
}
