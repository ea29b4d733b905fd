// What a node remembers of its data directories between two runs (docs/formats/block-references.md).

import Base
import LocalDB

/// The trees `block_directory` and `block_state`.
struct BlockState: Sendable {
  private static let cleanKey = Array("clean".utf8)

  private let database: LocalDatabase
  private let directoryTree: Tree
  private let stateTree: Tree
  /// The directories that the node has used, by path.
  let remembered: [String: DataDirectories.Remembered]
  /// Whether the last run ended with `markClean`; if not, there may be files without references.
  let wasClean: Bool

  /// Reads what is remembered, and forgets that the last stop was clean.
  ///
  /// Blocks the thread.
  init(_ database: LocalDatabase) throws {
    self.database = database
    let directoryTree = try database.tree("block_directory")
    let stateTree = try database.tree("block_state")
    self.directoryTree = directoryTree
    self.stateTree = stateTree
    var remembered: [String: DataDirectories.Remembered] = [:]
    try database.scan(directoryTree) { key, value in
      if let known = DataDirectories.Remembered(value) {
        remembered[String(decoding: key, as: UTF8.self)] = known
      }
      return true
    }
    self.remembered = remembered
    wasClean = try database.get(stateTree, Self.cleanKey) != nil
    if wasClean { try database.writeBlocking { try $0.delete(stateTree, Self.cleanKey) } }
  }

  /// Notes the directories in use.
  ///
  /// Blocks the thread.
  func remember(_ directories: DataDirectories) throws {
    let values = directories.all.map { ($0.path, $0.remembered.bytes) }
    let tree = directoryTree
    try database.writeBlocking { transaction in
      for (path, value) in values { try transaction.put(tree, Array(path.utf8), value) }
    }
  }

  /// Notes that no file can be without reference.
  nonisolated(nonsending) func markClean(_ directories: DataDirectories) async throws {
    let values = directories.all.map { ($0.path, $0.remembered.bytes) }
    let directoryTree = directoryTree
    let stateTree = stateTree
    try await database.write { transaction in
      for (path, value) in values { try transaction.put(directoryTree, Array(path.utf8), value) }
      try transaction.put(stateTree, Self.cleanKey, [])
    }
  }
}

extension DataDirectories.Remembered {
  var bytes: [UInt8] { id.bytes + UInt64(max(0, usedBytes)).networkBytes + [keepsUnknown ? 1 : 0] }

  init?(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count == 25, let id = DataDirectoryID(bytes[..<16]) else { return nil }
    self.init(
      id: id, usedBytes: Int(clamping: UInt64(networkBytes: bytes[16..<24])),
      keepsUnknown: bytes[24] != 0)
  }
}
