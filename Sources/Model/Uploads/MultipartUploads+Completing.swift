// Completing a multipart upload: its parts become one object.
//
// The completion is a write attempt of its own, with an upload ID of its own. It takes references of all blocks
// and writes manifest rows under that ID, then its version row, in whose transaction the multipart upload is
// closed. Only then do the part attempts lose theirs. So two completions at once, or one that is tried
// again after an error, never share a reference, and a crash leaves one of them whole.

package import Base
import Tables

extension MultipartUploads {
  /// Makes the parts the object.
  ///
  /// Completing again what was completed, and is still the key's object, is answered with that
  /// object.
  ///
  /// - Parameter metadata: What the object will carry, from what the upload began with and the parts as
  ///   they were uploaded, in order; throws to refuse. See `etag(of:)`.
  /// - Throws: `noSuchUpload`, `invalidPart`, `invalidPartOrder`, `entityTooSmall`, what `metadata` throws,
  ///   and as `ObjectWriter.commit`.
  package func complete(
    bucket: Bucket, key: ObjectKey, id: UploadID, parts completed: [CompletedPart],
    metadata: (MultipartUpload, [UploadedPart]) throws -> ObjectMetadata = { upload, parts in
      var metadata = upload.metadata
      metadata.etag = MultipartUploads.etag(of: parts)
      metadata.checksums = []
      return metadata
    }
  ) async throws -> ObjectVersion {
    guard let upload = try await get(bucket: bucket, key: key, id: id) else {
      return try await completedBefore(bucket: bucket, key: key, id: id)
    }
    let rows = try await chosen(completed, bucket: bucket.id, key: key, id: id)
    let uploaded = rows.map { UploadedPart(number: Int($0.number), part: $0.part) }
    var layout = PartLayout()
    var size: UInt64 = 0
    for row in rows {
      layout.append(
        number: row.number, sizeBytes: row.part.sizeBytes, blockBytes: row.part.blockBytes)
      size += row.part.sizeBytes
      guard size <= Self.objectBytesMax else {
        throw ModelError.entityTooLarge(sizeBytes: size, maxBytes: Self.objectBytesMax)
      }
    }
    let metadata = try metadata(upload, uploaded)
    let assembly = ObjectAssembly(parts, bucket: bucket, key: key)
    do {
      let content = try await ModelError.translating {
        try await assembly.assemble(rows.map(ObjectAssembly.Piece.init))
      }
      try await checkUnchanged(rows, bucket: bucket, key: key, id: id)
      let object = VersionRow.Object(
        lastModified: parts.runtime.wallNow, sizeBytes: size, metadata: metadata, multipart: id,
        parts: layout, partChecksums: Self.checksums(of: rows, named: upload), content: content)
      try assembly.willSendEntry()
      return try await parts.put(
        object, uploadID: assembly.session.id, bucket: bucket, key: key)
    } catch let error as ModelError where error == .noSuchUpload || error == .sourceChanged {
      // Aborted, or completed by another request a moment ago.
      await assembly.session.undo()
      return try await completedBefore(bucket: bucket, key: key, id: id)
    } catch {
      await assembly.abandon(after: error)
      throw error
    }
  }

  /// The parts' checksums one after the other, of the algorithm that the client named at the beginning; none unless
  /// each part has one.
  private static func checksums(
    of rows: [NumberedPart], named upload: MultipartUpload
  ) -> [UInt8] {
    guard let algorithm = upload.checksumAlgorithm else { return [] }
    let sums = rows.compactMap { row in
      row.part.checksums.first { $0.algorithm == algorithm }?.value
    }
    return sums.count == rows.count ? sums.flatMap(\.self) : []
  }

  /// The object that an earlier completion of the upload made.
  ///
  /// - Throws: `noSuchUpload` when it is not the key's object.
  private func completedBefore(
    bucket: Bucket, key: ObjectKey, id: UploadID
  ) async throws -> ObjectVersion {
    guard let version = try await objects.head(bucket: bucket, key: key), version.multipart == id
    else { throw ModelError.noSuchUpload }
    return version
  }

  /// Throws unless `rows` are still the parts, after references of all their blocks were taken.
  ///
  /// A part that was replaced meanwhile may have lost its blocks before the references came: taking those of a
  /// huge object can take longer than a release waits. While its row stands its blocks do too.
  ///
  /// - Throws: `invalidPart`; `noSuchUpload` when the upload ended meanwhile.
  private func checkUnchanged(
    _ rows: [NumberedPart], bucket: Bucket, key: ObjectKey, id: UploadID
  ) async throws {
    guard let first = rows.first else { return }
    let held = try await partRows(
      bucket: bucket.id, key: key, id: id, after: Int(first.number) - 1, limit: Self.partNumberMax)
    var next = held[...]
    for row in rows {
      next = next.drop { $0.number < row.number }
      if let now = next.first, now.number == row.number, now.uploadID == row.uploadID { continue }
      _ = try await existing(bucket: bucket, key: key, id: id)
      throw ModelError.invalidPart(number: Int(row.number))
    }
  }

  /// The rows of the parts that a client named, checked.
  private func chosen(
    _ completed: [CompletedPart], bucket: BucketID, key: ObjectKey, id: UploadID
  ) async throws -> [NumberedPart] {
    guard let first = completed.first else { throw ModelError.invalidPart(number: 1) }
    var previous = 0
    for part in completed {
      guard part.number > previous else { throw ModelError.invalidPartOrder }
      previous = part.number
    }
    guard previous <= Self.partNumberMax else { throw ModelError.invalidPart(number: previous) }
    var rows: [NumberedPart] = []
    let available = try await partRows(
      bucket: bucket, key: key, id: id, after: first.number - 1, limit: Self.partNumberMax)
    var next = 0
    for part in completed {
      while next < available.count, available[next].number < part.number { next += 1 }
      guard next < available.count, available[next].number == part.number,
        available[next].part.etag == part.etag
      else { throw ModelError.invalidPart(number: part.number, etag: part.etag) }
      rows.append(available[next])
    }
    for row in rows.dropLast() where row.part.sizeBytes < parts.options.partBytesMin {
      throw ModelError.entityTooSmall(
        number: Int(row.number), sizeBytes: row.part.sizeBytes)
    }
    return rows
  }
}

extension ObjectAssembly.Piece {
  /// A part of an upload.
  init(_ row: MultipartUploads.NumberedPart) {
    self.init(
      number: row.number, uploadID: row.uploadID, sizeBytes: row.part.sizeBytes,
      content: row.part.content)
  }
}
