// Copying an object within the cluster: no byte of it moves.

import Base
import Tables

extension Objects {
  /// Makes a copy of `source` the object of a key, which may be that of the source.
  ///
  /// The copy shares the blocks of the source, and has its parts.
  ///
  /// - Parameter metadata: What the copy carries; its ETag and checksums must be true of the bytes.
  /// - Throws: `sourceChanged` when the source was replaced or deleted before its blocks were held, and as
  ///   `ObjectWriter.commit`.
  package func copy(
    _ source: ObjectVersion, to bucket: Bucket, key: ObjectKey, metadata: ObjectMetadata
  ) async throws -> ObjectVersion {
    let assembly = ObjectAssembly(parts, bucket: bucket, key: key)
    do {
      try QuotaForecast(parts, bucket, .version(key, .null)).check(source.sizeBytes)
      try await parts.requireRoom()
      let content = try await content(of: source, assembly)
      // Parts' checksums are of the algorithm of the object's, which the copy may have changed.
      let keepsSums = metadata.checksums == source.metadata.checksums
      let object = VersionRow.Object(
        lastModified: parts.runtime.wallNow, sizeBytes: source.sizeBytes, metadata: metadata,
        parts: source.parts, partChecksums: keepsSums ? source.partChecksums : [],
        content: content)
      try assembly.willSendEntry()
      return try await parts.put(object, uploadID: assembly.session.id, bucket: bucket, key: key)
    } catch {
      await assembly.abandon(after: error)
      throw error
    }
  }

  /// Where the bytes of the copy are, once it holds them.
  private func content(
    of source: ObjectVersion, _ assembly: ObjectAssembly
  ) async throws -> ObjectContent {
    if case .inline = source.content { return source.content }
    try parts.requireBlocks()
    let content = try await ModelError.translating {
      try await assembly.assemble(source.pieces)
    }
    // While the source stands, so do its blocks; taking references of a huge object can take longer than blocks
    // stay that nothing needs.
    guard try await parts.head(bucket: source.bucket, key: source.key)?.uploadID == source.uploadID
    else { throw ModelError.sourceChanged }
    return content
  }
}

extension ObjectVersion {
  /// What the version's manifest rows are about.
  fileprivate var pieces: [ObjectAssembly.Piece] {
    guard content == .manifest else {
      return [.init(number: 0, uploadID: uploadID, sizeBytes: sizeBytes, content: content)]
    }
    return parts.runs.flatMap { run in
      (0..<run.count).map { index in
        .init(
          number: run.first + index, uploadID: uploadID, sizeBytes: run.sizeBytes,
          content: .manifest)
      }
    }
  }
}
