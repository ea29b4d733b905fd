// Listing the uploads of a bucket, and the parts of an upload.

package import Base
import Tables

extension MultipartUploads {
  /// The unfinished uploads of the bucket.
  ///
  /// Only `query`'s prefix, delimiter and limit count.
  package func list(
    bucket: Bucket, _ query: ListQuery, after: UploadPosition = UploadPosition(.start)
  ) async throws -> UploadPage {
    var query = query
    query.after = after.position
    var first: [UInt8]?
    if case .afterKey(let bytes) = after.position, let upload = after.upload {
      // Within a key the uploads are in the order of their IDs.
      let key = try ObjectKey(bytes)
      query.after = .start
      first = ObjectSortKey.upload(key, upload).bytes + [0]
    }
    let listing = KeyListing(parts, .upload, bucket: bucket.id, query)
    let page = try await listing.page(from: first, read: Self.openUpload)
    var result = UploadPage(uploads: [], commonPrefixes: [], next: nil)
    var last: UploadPosition?
    for item in page.items {
      switch item {
      case .commonPrefix(let prefix):
        result.commonPrefixes.append(prefix)
        last = UploadPosition(.afterPrefix(prefix))
      case .entry(let upload):
        result.uploads.append(upload)
        last = UploadPosition(.afterKey(upload.key.bytes), upload: upload.id)
      }
    }
    if page.isTruncated { result.next = last }
    return result
  }

  /// The unfinished multipart upload of a row; `nil` when it is none.
  static func openUpload(
    _ sortKey: UnsafeRawBufferPointer, _ row: UnsafeRawBufferPointer
  ) throws -> MultipartUpload? {
    guard case .upload(let key, let id) = ObjectSortKey(Array(sortKey)),
      case .upload(let row) = try ObjectRow(row)
    else { return nil }
    return MultipartUpload(key: key, id: id, row)
  }

  /// The parts that were uploaded, after number `after`.
  ///
  /// - Throws: `noSuchUpload`.
  package func parts(
    bucket: Bucket, key: ObjectKey, id: UploadID, after: Int = 0, limit: Int = 1000
  ) async throws -> PartPage {
    let upload = try await existing(bucket: bucket, key: key, id: id)
    let limit = max(0, min(limit, KeyListing.limitMax))
    let rows = try await partRows(
      bucket: bucket.id, key: key, id: id, after: after, limit: limit + 1)
    let parts = rows.prefix(limit).map { UploadedPart(number: Int($0.number), part: $0.part) }
    return PartPage(upload: upload, parts: parts, isTruncated: limit > 0 && rows.count > limit)
  }

  /// A part with its row.
  package struct NumberedPart: Sendable {
    package var number: UInt16
    package var uploadID: UploadID
    package var part: PartRow.Part
  }

  /// The live part rows with numbers above `after`, in order.
  package func partRows(
    bucket: BucketID, key: ObjectKey, id: UploadID, after: Int, limit: Int
  ) async throws -> [NumberedPart] {
    var result: [NumberedPart] = []
    guard limit > 0, after < Int(UInt16.max) else { return result }
    let first = UInt16(max(0, after) + 1)
    var from: [UInt8]? = ObjectSortKey.part(key, id, number: first).bytes
    let end = ObjectSortKey.part(key, id, number: .max).bytes
    while let position = from, result.count < limit {
      let page = try await ModelError.translating {
        try await parts.objects.range(
          RangeQuery(
            partitionKey: ObjectPartition.key(bucket), from: position, to: end,
            limit: min(limit - result.count, Self.partRowsAtOnce)))
      }
      for case .row(let sortKey, .part(let row)) in page.items {
        guard case .part(_, _, let number) = ObjectSortKey(sortKey), let part = row.part else {
          continue
        }
        result.append(NumberedPart(number: number, uploadID: row.uploadID, part: part))
      }
      from = page.next
      if from != nil { try await parts.runtime.letOthersRun() }
    }
    return result
  }

  /// A millisecond or two of the loop's time.
  private static let partRowsAtOnce = 256
}
