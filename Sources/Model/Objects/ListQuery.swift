// What a client asks of a listing, and what it gets.

/// Where a listing begins.
package enum ListPosition: Equatable, Sendable {
  /// At the first key.
  case start
  /// After this key, which need not exist.
  ///
  /// A common prefix is returned when a key below it comes after this one.
  case afterKey([UInt8])
  /// After all keys that begin with these bytes.
  case afterPrefix([UInt8])

  /// The key or prefix, which `ListQuery.position(marker:)` takes back; `nil` at the start.
  package var marker: [UInt8]? {
    switch self {
    case .start: nil
    case .afterKey(let bytes), .afterPrefix(let bytes): bytes
    }
  }
}

/// A question for a page of a listing.
package struct ListQuery: Equatable, Sendable {
  /// Only keys that begin with these bytes are listed.
  package var prefix: [UInt8]
  /// Keys in which these bytes occur after the prefix are rolled up to a common prefix that ends with them;
  /// none when empty.
  package var delimiter: [UInt8]
  package var after: ListPosition
  /// How many keys and common prefixes a page has at most.
  package var limit: Int

  package init(
    prefix: [UInt8] = [], delimiter: [UInt8] = [], after: ListPosition = .start, limit: Int = 1000
  ) {
    self.prefix = prefix
    self.delimiter = delimiter
    self.after = after
    self.limit = limit
  }

  /// The position that the `marker` of ListObjects (version 1) means: after that key, or after the whole
  /// common prefix that it is or lies in.
  package func position(marker: [UInt8]) -> ListPosition {
    if marker.isEmpty { return .start }
    return commonPrefix(of: marker).map { .afterPrefix($0) } ?? .afterKey(marker)
  }

  /// What `key` is rolled up to: its bytes up to the end of the first delimiter behind the prefix; `nil`
  /// when there is none.
  package func commonPrefix(of key: [UInt8]) -> [UInt8]? {
    guard !delimiter.isEmpty, key.starts(with: prefix), key.count >= delimiter.count else {
      return nil
    }
    var start = prefix.count
    while start + delimiter.count <= key.count {
      if key[start..<start + delimiter.count].elementsEqual(delimiter) {
        return Array(key[..<(start + delimiter.count)])
      }
      start += 1
    }
    return nil
  }
}

/// A page of a listing of objects.
package struct ListPage: Equatable, Sendable {
  /// In the order of their keys.
  package var objects: [ListedObject]
  /// In the order of their bytes.
  package var commonPrefixes: [[UInt8]]
  /// Where the next page begins; `nil` when this is the last one.
  package var next: ListPosition?
}
