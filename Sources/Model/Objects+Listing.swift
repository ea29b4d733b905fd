// Listing the objects of a bucket.

import Base
import Tables

extension Objects {
  /// A page of the bucket's objects, complete and in the order of the keys' bytes.
  package func list(bucket: Bucket, _ query: ListQuery) async throws -> ListPage {
    let page = try await KeyListing(parts, .version, bucket: bucket.id, query).page {
      sortKey, row in
      guard case .version(_, .null) = sortKey, case .version(let row) = row else { return false }
      return row.object != nil
    }
    var result = ListPage(objects: [], commonPrefixes: [], next: nil)
    var last: ListPosition?
    for item in page.items {
      switch item {
      case .commonPrefix(let prefix):
        result.commonPrefixes.append(prefix)
        last = .afterPrefix(prefix)
      case .row(let sortKey, .version(let row)):
        guard let object = row.object else { continue }
        result.objects.append(ListedObject(key: sortKey.key, object))
        last = .afterKey(sortKey.key.bytes)
      case .row: continue
      }
    }
    if page.isTruncated { result.next = last }
    return result
  }
}

extension ListedObject {
  init(key: ObjectKey, _ object: VersionRow.Object) {
    self.init(
      key: key, sizeBytes: object.sizeBytes, etag: object.metadata.etag,
      lastModified: object.lastModified,
      checksumAlgorithms: object.metadata.checksums.map(\.algorithm),
      checksumType: object.metadata.checksumType)
  }
}
