// One data directory of a node: a place for block files, usually a disk.
//
// Invariants:
//   1. Nothing is created below a directory whose marker was not read: a disk that is not mounted must not be
//      replaced by the empty folder it is mounted on.
//   2. The 256 folders for block files are there, and survive a power cut, before the first block is written.

package import Base
private import Synchronization

/// A data directory, as configured.
package struct DataDirectoryOptions: Sendable {
  package var path: String
  /// The most that block files may take here; `nil` for what the disk has.
  package var capacityBytes: UInt64?
  /// No new blocks; those that are here are read and deleted.
  package var isReadOnly: Bool

  package init(path: String, capacityBytes: UInt64? = nil, isReadOnly: Bool = false) {
    self.path = path
    self.capacityBytes = capacityBytes
    self.isReadOnly = isReadOnly
  }
}

/// Names a data directory for its whole life, wherever it is mounted.
package typealias DataDirectoryID = Identifier16<DataDirectoryTag>
package enum DataDirectoryTag: Sendable {}

/// A data directory that the node has opened.
package final class DataDirectory: Sendable {
  package let options: DataDirectoryOptions
  package let id: DataDirectoryID
  let files: any FileSystem
  private let lost = Atomic<Bool>(false)
  private let fault = Mutex<FileError?>(nil)
  private let used: Atomic<Int>
  private let lastRoom = Atomic<Int>(0)

  /// Whether only an operator decides about files without references here.
  package let keepsUnknown: Bool

  init(
    _ options: DataDirectoryOptions, files: any FileSystem, remembered: DataDirectories.Remembered
  ) {
    self.options = options
    self.files = files
    id = remembered.id
    keepsUnknown = remembered.keepsUnknown
    used = Atomic(remembered.usedBytes)
  }

  var remembered: DataDirectories.Remembered {
    .init(id: id, usedBytes: usedBytes, keepsUnknown: keepsUnknown)
  }

  /// Where the directory is.
  package var path: String { options.path }

  /// Whether its disk has gone away since the node started.
  package var isLost: Bool { lost.load(ordering: .relaxed) }

  /// Why the last block could not be written here, other than for want of room.
  package var writeFault: FileError? { fault.withLock { $0 } }

  /// Notes whether a block could be written, and logs when that changes.
  func noteWriting(fault new: FileError?, _ logger: Logger) {
    let before = fault.withLock { fault in
      defer { fault = new }
      return fault
    }
    if let new, before == nil {
      logger.error(
        new.isMissing
          ? "A folder of a data directory is gone. Restart the node: it makes them again."
          : "Blocks cannot be written to a data directory. Look at its disk (smartctl, dmesg).",
        [("path", path), ("error", "\(new)")])
    } else if new == nil, before != nil {
      logger.info("Blocks can be written to the data directory again.", [("path", path)])
    }
  }

  /// What the block files here take, as far as they were counted.
  package var usedBytes: Int { max(0, used.load(ordering: .relaxed)) }

  func addUsed(_ bytes: Int) { used.wrappingAdd(bytes, ordering: .relaxed) }
  func setUsed(_ bytes: Int) { used.store(bytes, ordering: .relaxed) }

  /// Looks whether the directory is still the one that was opened.
  ///
  /// - Returns: Whether that changed.
  func checkMarker() -> Bool {
    var isHere = false
    if let marker = try? DataDirectoryMarker.read(path, files) { isHere = marker.directory == id }
    return lost.exchange(!isHere, ordering: .relaxed) == isHere
  }

  /// `<data>/<aa>`: the folder for the names that begin with the byte `first`.
  package func folderPath(_ first: UInt8) -> String { "\(path)/\(Hex.encode([first]))" }

  /// The folder of the block `hash`.
  package func folderPath(_ hash: BlockHash) -> String { "\(path)/\(hash.hex.prefix(2))" }

  /// Where the file of the block `hash` is, if it is here.
  package func filePath(_ hash: BlockHash) -> String {
    let hex = hash.hex
    return "\(path)/\(hex.prefix(2))/\(hex)"
  }

  /// Where a file being written is until it is whole.
  func temporaryPath(random: any RandomSource) -> String {
    "\(path)/tmp/\(Hex.encode(random.bytes(16)))"
  }

  /// The room for more blocks: what the disk has beyond `reserve`, and what the capacity leaves.
  ///
  /// Holds the thread as long as the disk hangs.
  func measureRoomBytes(_ reserve: DiskReserve) -> Int {
    let bytes = room(reserve)
    lastRoom.store(bytes, ordering: .relaxed)
    return bytes
  }

  /// What `measureRoomBytes` found last.
  var lastRoomBytes: Int { lastRoom.load(ordering: .relaxed) }

  private func room(_ reserve: DiskReserve) -> Int {
    guard !options.isReadOnly, !isLost, let room = try? files.room(path) else { return 0 }
    let kept = reserve.bytes(totalBytes: room.totalBytes)
    let free = room.freeBytes > kept ? Int(clamping: room.freeBytes - kept) : 0
    guard let capacity = options.capacityBytes else { return free }
    return min(free, max(0, Int(clamping: capacity) - usedBytes))
  }
}
