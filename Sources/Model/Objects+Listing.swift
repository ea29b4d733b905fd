// Listing the objects of a bucket.

import Base
package import Codecs
import Tables

extension Objects {
  /// A page of the bucket's objects, complete and in the order of the keys' bytes.
  package func list(bucket: Bucket, _ query: ListQuery) async throws -> ListPage {
    let page = try await KeyListing(parts, .version, bucket: bucket.id, query).page {
      sortKey, row in
      try ObjectSortKey.keyOfNullVersion(sortKey).flatMap { try ListedObject(key: $0, row: row) }
    }
    var result = ListPage(objects: [], commonPrefixes: [], next: nil)
    if query.delimiter.isEmpty { result.objects.reserveCapacity(page.items.count) }
    for item in page.items {
      switch item {
      case .commonPrefix(let prefix): result.commonPrefixes.append(prefix)
      case .entry(let object): result.objects.append(object)
      }
    }
    guard page.isTruncated else { return result }
    switch page.items.last {
    case .commonPrefix(let prefix): result.next = .afterPrefix(prefix)
    case .entry(let object): result.next = .afterKey(object.key.bytes)
    case nil: break
    }
    return result
  }
}

extension ListedObject {
  /// What a listing shows of a version's row; `nil` when the row says that the object is deleted.
  ///
  /// Only the beginning of the row is read (docs/formats/objects.md), as the rest is most of it: its headers, parts
  /// and content.
  package init?(key: ObjectKey, row: UnsafeRawBufferPointer) throws(BinaryError) {
    guard var reader = try VersionRow.contentReader(ofRow: row) else { return nil }
    lastModified = WallTime(milliseconds: try reader.signed())
    sizeBytes = try reader.varint()
    guard sizeBytes <= RowLimits.objectBytesMax else { throw .overLimit }
    etag = try reader.string(max: RowLimits.etagBytesMax)
    for _ in 0..<(try reader.count(max: RowLimits.headersMax)) {
      try reader.skipBytes(max: RowLimits.headerBytesMax)
      try reader.skipBytes(max: RowLimits.headerBytesMax)
    }
    checksumAlgorithms = []
    for _ in 0..<(try reader.count(max: RowLimits.checksumsMax)) {
      guard let algorithm = ChecksumAlgorithm(rawValue: try reader.u8()) else {
        throw .invalidValue
      }
      checksumAlgorithms.append(algorithm)
      try reader.skipBytes(max: RowLimits.checksumBytesMax)
    }
    guard let type = ChecksumType(rawValue: try reader.u8()) else { throw .invalidValue }
    checksumType = type
    self.key = key
  }
}

extension BinaryReader {
  fileprivate mutating func skipBytes(max: Int) throws(BinaryError) {
    _ = try view(try count(max: max))
  }
}
