// All data directories of a node: which one takes a new block, and which ones may have a block.
//
// A new block goes where there is most room, so that unequal disks fill up evenly. A block is looked for in each
// directory in turn; there are few.

package import Base

/// The data directories of a node.
package struct DataDirectories: Sendable {
  package let all: [DataDirectory]
  /// Where directories should be that were not there at the start; what they hold is missing until the next.
  package let missing: [String]
  private let reserve: DiskReserve

  /// What the node remembers of a directory it has used.
  package struct Remembered: Equatable, Sendable {
    package var id: DataDirectoryID
    package var usedBytes: Int
    /// Whether the directory had blocks when the node's database first saw it: the database that knew them may
    /// be lost, so only an operator decides about files without references there.
    package var keepsUnknown: Bool

    package init(id: DataDirectoryID, usedBytes: Int, keepsUnknown: Bool) {
      self.id = id
      self.usedBytes = usedBytes
      self.keepsUnknown = keepsUnknown
    }
  }

  /// Opens the directories: makes new ones, refuses those of other nodes, and empties `tmp`.
  ///
  /// A directory that the node has used and whose marker is missing is left out, unless that leaves none to
  /// write to.
  ///
  /// - Parameter remembered: By path.
  /// - Throws: `BlockError.unusable` or `.directoryLost`.
  package static func open(
    _ options: [DataDirectoryOptions], node: NodeID, remembered: [String: Remembered],
    reserve: DiskReserve, syncing: Bool, files: any FileSystem, random: any RandomSource,
    logger: Logger
  ) throws -> DataDirectories {
    var opened: [DataDirectory] = []
    var lost: [String] = []
    for option in options {
      let lastHere = remembered[option.path]
      guard let id = try identity(option, node, lastHere?.id, files, random) else {
        logger.error(
          "A data directory is not there; its blocks are missing. Mount its disk and restart.",
          [("path", option.path)])
        lost.append(option.path)
        continue
      }
      if opened.contains(where: { $0.id == id }) {
        throw BlockError.unusable("\(option.path) is in data_dir twice")
      }
      // A disk may be mounted elsewhere than before.
      let known = lastHere?.id == id ? lastHere : remembered.values.first { $0.id == id }
      try prepare(option, syncing, files)
      let hasBlocks = try known == nil && hasBlocks(option, files)
      opened.append(
        DataDirectory(
          option, files: files,
          remembered: Remembered(
            id: id, usedBytes: known?.usedBytes ?? 0,
            keepsUnknown: known?.keepsUnknown ?? hasBlocks)))
    }
    if let path = lost.first, opened.allSatisfy(\.options.isReadOnly) {
      throw BlockError.directoryLost(path)
    }
    if opened.isEmpty { throw BlockError.unusable("data_dir names no directory") }
    return DataDirectories(all: opened, missing: lost, reserve: reserve)
  }

  /// The directory's ID from its marker, which a new directory gets; `nil` when it is lost.
  private static func identity(
    _ option: DataDirectoryOptions, _ node: NodeID, _ known: DataDirectoryID?,
    _ files: any FileSystem, _ random: any RandomSource
  ) throws -> DataDirectoryID? {
    if let marker = try DataDirectoryMarker.read(option.path, files) {
      guard marker.node == node else {
        throw BlockError.unusable(
          "\(option.path) holds the blocks of another node (\(marker.node)): give each node its own "
            + "data directory")
      }
      return marker.directory
    }
    if known != nil { return nil }
    if option.isReadOnly {
      throw BlockError.unusable(
        "\(option.path) is read-only and holds no blocks of this node: remove it from data_dir")
    }
    try makeFolder(option.path, files)
    // A marker that was removed by hand, or a disk of other things: blocks of nobody known.
    if try hasBlocks(option, files) {
      throw BlockError.unusable(
        "\(option.path) has block files but no marker: restore the file "
          + "\(DataDirectoryMarker.fileName), or use an empty directory")
    }
    let id = DataDirectoryID(high: random.next(), low: random.next())
    try DataDirectoryMarker(node: node, directory: id).write(option.path, files)
    return id
  }

  private static func hasBlocks(
    _ option: DataDirectoryOptions, _ files: any FileSystem
  ) throws -> Bool {
    try folders(option, files).contains { try !files.list("\(option.path)/\($0)").isEmpty }
  }

  /// The names of the folders for block files that are there.
  private static func folders(
    _ option: DataDirectoryOptions, _ files: any FileSystem
  ) throws -> Set<String> {
    Set(try files.list(option.path).filter { $0.utf8.count == 2 && Hex.decode($0) != nil })
  }

  /// Makes `path` and the folders above it.
  private static func makeFolder(_ path: String, _ files: any FileSystem) throws {
    var position = path.startIndex
    while let slash = path[position...].dropFirst().firstIndex(of: "/") {
      try ignoringExisting { try files.makeDirectory(String(path[..<slash])) }
      position = slash
    }
    try files.makeDirectory(path)
  }

  /// A folder above may be one that this user cannot make but that is there.
  private static func ignoringExisting(_ body: () throws -> Void) throws {
    do { try body() } catch let error as FileError where error.isReadOnly {}
  }

  /// Empties `tmp`, makes the folders for block files, and makes what an earlier run may have renamed without
  /// synchronising survive.
  ///
  /// All folders at once and from the start: one that is made for the first of its blocks costs that upload a sync
  /// of its own, and disks spread folders, so that many of them are many seeks.
  private static func prepare(
    _ option: DataDirectoryOptions, _ syncing: Bool, _ files: any FileSystem
  ) throws {
    if option.isReadOnly { return try sync(option, syncing, files) }
    let temporary = "\(option.path)/tmp"
    try files.makeDirectory(temporary)
    for name in try files.list(temporary) { _ = try files.remove("\(temporary)/\(name)") }
    let known = try folders(option, files)
    for first in UInt8.min...UInt8.max {
      let name = Hex.encode([first])
      if !known.contains(name) { try files.makeDirectory("\(option.path)/\(name)") }
    }
    try sync(option, syncing, files)
  }

  /// Without this a block found whole could be one that a killed process had not made durable yet.
  private static func sync(
    _ option: DataDirectoryOptions, _ syncing: Bool, _ files: any FileSystem
  ) throws {
    if syncing { try files.syncAll(option.path) }
  }

  /// The directories to try for a new block, those with most room first.
  ///
  /// - Throws: `BlockError.storageFull` or `.directoryLost` when none takes `byteCount` more.
  func forWriting(_ byteCount: Int, _ logger: Logger) throws -> [DataDirectory] {
    let rooms = all.map { ($0.measureRoomBytes(reserve), $0) }.filter { $0.0 >= byteCount }
    if rooms.isEmpty { throw noRoom(logger) }
    return rooms.sorted { $0.0 > $1.0 }.map(\.1)
  }

  /// Why no directory takes a block.
  func noRoom(_ logger: Logger) -> BlockError {
    // A disk that does not answer has no room either, and needs another remedy.
    _ = checkMarkers(logger)
    let writable = all.filter { !$0.options.isReadOnly }
    if let lost = writable.first(where: \.isLost), writable.allSatisfy(\.isLost) {
      return .directoryLost(lost.path)
    }
    let paths = writable.map(\.path).joined(separator: ", ")
    return .storageFull(
      "no data directory has room (\(paths)): free some space, raise its capacity or add another to "
        + "data_dir; reads and deletes go on")
  }

  /// The room for more blocks, over all directories.
  ///
  /// Asks the disks, and holds the thread as long as one of them hangs.
  package func measureRoomBytes() -> Int {
    all.reduce(0) { $0.saturatingSum($1.measureRoomBytes(reserve)) }
  }

  /// The same as it was measured last, for those who must not wait.
  var lastRoomBytes: Int { all.reduce(0) { $0.saturatingSum($1.lastRoomBytes) } }

  /// Whether blocks can be written, but for want of room, if any directory is there for that.
  package var canBeWritten: Bool {
    let writable = all.filter { !$0.options.isReadOnly }
    return writable.isEmpty || writable.contains { !$0.isLost && $0.writeFault == nil }
  }

  /// Whether no directory was missing at the start or has gone away since.
  var areAllThere: Bool { missing.isEmpty && !all.contains(where: \.isLost) }

  /// Looks at all markers, logs what changed, and returns the path of a directory that is lost.
  func checkMarkers(_ logger: Logger) -> String? {
    for directory in all where directory.checkMarker() {
      if directory.isLost {
        logger.error(
          "A data directory has gone away; its blocks are missing. Look at its disk.",
          [("path", directory.path)])
      } else {
        logger.info("A data directory is there again.", [("path", directory.path)])
      }
    }
    return all.first(where: \.isLost)?.path ?? missing.first
  }
}
