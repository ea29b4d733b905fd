// Listing the objects of a bucket.

import Tables

extension Objects {
  /// A page of the bucket's objects, complete and in the order of the keys' bytes.
  package func list(bucket: Bucket, _ query: ListQuery) async throws -> ListPage {
    let listing = KeyListing(parts, .version, bucket: bucket.id, query)
    let page = try await listing.page(companion: bucket.companion) { sortKey, row in
      try ObjectSortKey.keyOfNullVersion(sortKey).flatMap { try ListedObject(key: $0, row: row) }
    }
    try parts.checkExists(bucket.id)
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
