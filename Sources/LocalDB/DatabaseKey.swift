// The keys of the tree `database` (docs/formats/metadata-database.md).

enum DatabaseKey {
  static let incarnation = Array("incarnation".utf8)
  static let commitNumber = Array("commit_number".utf8)
  static let unsynced = Array("unsynced".utf8)
}
