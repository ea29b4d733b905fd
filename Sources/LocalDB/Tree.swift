// A named, ordered set of (key, value) pairs.

/// A handle of one tree of a `LocalDatabase`; it is made by `LocalDatabase.tree(_:)`.
package struct Tree: Hashable, Sendable {
  /// The position in each connection's cache of prepared statements.
  let index: Int
  /// The name that the tree was made with.
  package let name: String
  /// Whether the writer gathers its changes until the commit (GatheredValues.swift).
  let gathers: Bool

  /// The largest key, of which an object's sort key (a 1024-byte name, escaped) is the longest.
  package static let keyBytesMax = 8 << 10
  /// The largest value: a manifest row of 1,000 blocks takes under 100 KiB, so this only stops mistakes.
  package static let valueBytesMax = 16 << 20

  /// This layer's own tree, which no caller can name.
  static let database = Tree(index: 0, name: "", gathers: false)

  /// The SQL table.
  ///
  /// Names are checked when the tree is made, so no quoting is needed.
  var table: String { index == 0 ? "database" : "tree_\(name)" }

  /// Whether `name` can be a tree's.
  static func isValid(name: String) -> Bool {
    (1...64).contains(name.utf8.count)
      && name.utf8.allSatisfy { byte in
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "_")
      }
  }
}
