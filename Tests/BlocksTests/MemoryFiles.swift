// A file system in memory that can lose its power.
//
// It keeps what is visible and what is on stable storage apart. A power cut leaves the second, and of
// everything in between an arbitrary part: a name may have changed or not, whatever else has, and the
// contents of a file that was not synchronised may be cut or wrong. Real file systems promise more.

import Base
import Blocks
import Glibc
import SimulatedWorld
import Synchronization

final class MemoryFiles: FileSystem {
  private struct Inode {
    var content: [UInt8]
    var durable: [UInt8]?
  }

  private struct State {
    var inodes: [Int: Inode] = [:]
    var names: [String: Int] = [:]
    var durableNames: [String: Int] = [:]
    var folders: Set<String> = ["", "/data"]
    var durableFolders: Set<String> = ["", "/data"]
    var calls = 0
    var cutAt: Int?
    var freeBytes: [String: Int] = [:]
    var isCached = true
    var syncs: [String] = []
    var unreadable: Set<String> = []
    var isStuck = false
    var readOnly: String?
  }

  private let state = Mutex(State())

  private func call<Value: Sendable>(
    _ name: String, _ path: String, _ body: (inout State) throws(FileError) -> Value
  ) throws(FileError) -> Value {
    let result = state.withLock { state -> Result<Value, FileError> in
      state.calls += 1
      if let cutAt = state.cutAt, state.calls >= cutAt {
        return .failure(FileError(name, path, code: EIO))
      }
      return Result { () throws(FileError) in try body(&state) }
    }
    return try result.get()
  }

  private static func parent(_ path: String) -> String {
    String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
  }

  // MARK: The file system

  func makeDirectory(_ path: String) throws(FileError) {
    try call("mkdir", path) { state throws(FileError) in
      guard state.folders.contains(Self.parent(path)) else {
        throw FileError("mkdir", path, code: ENOENT)
      }
      state.folders.insert(path)
    }
  }

  func write(
    _ path: String, _ parts: [UnsafeRawBufferPointer], syncing: Bool
  ) throws(FileError) {
    let content = parts.flatMap { Array($0) }
    try call("write", path) { state throws(FileError) in
      guard state.folders.contains(Self.parent(path)) else {
        throw FileError("open", path, code: ENOENT)
      }
      guard state.names[path] == nil else { throw FileError("open", path, code: EEXIST) }
      let inode = state.calls
      state.inodes[inode] = Inode(content: content, durable: syncing ? content : nil)
      state.names[path] = inode
      if let (root, free) = state.freeBytes.first(where: { path.hasPrefix($0.key) }) {
        guard free >= content.count else { throw FileError("write", path, code: ENOSPC) }
        state.freeBytes[root] = free - content.count
      }
    }
  }

  func open(_ path: String, waiting: Bool) throws(FileError) -> OpenedFile {
    try call("open", path) { state throws(FileError) in
      if !waiting && !state.isCached { return .wouldWait }
      if state.unreadable.contains(path) { throw FileError("open", path, code: EIO) }
      guard let inode = state.names[path], let file = state.inodes[inode] else { return .missing }
      return .file(MemoryFile(file.content))
    }
  }

  func rename(_ path: String, to newPath: String) throws(FileError) {
    try call("rename", path) { state throws(FileError) in
      if let root = state.readOnly, path.hasPrefix(root) {
        throw FileError("rename", path, code: EROFS)
      }
      guard let inode = state.names[path], state.folders.contains(Self.parent(newPath)) else {
        throw FileError("rename", path, code: ENOENT)
      }
      state.names[path] = nil
      state.names[newPath] = inode
    }
  }

  func remove(_ path: String) throws(FileError) -> Bool {
    try call("unlink", path) { state throws(FileError) in
      if state.isStuck { throw FileError("unlink", path, code: EIO) }
      return state.names.removeValue(forKey: path) != nil
    }
  }

  func syncDirectory(_ path: String) throws(FileError) {
    try call("fsync", path) { state throws(FileError) in
      if state.isStuck { throw FileError("fsync", path, code: EIO) }
      guard state.folders.contains(path) else { throw FileError("fsync", path, code: ENOENT) }
      state.syncs.append(path)
      state.durableNames = state.durableNames.filter { Self.parent($0.key) != path }
      for (name, inode) in state.names where Self.parent(name) == path {
        state.durableNames[name] = inode
      }
      for folder in state.folders where Self.parent(folder) == path {
        state.durableFolders.insert(folder)
      }
    }
  }

  func syncAll(_ path: String) throws(FileError) {
    try call("syncfs", path) { state throws(FileError) in
      // Each data directory has a file system of its own; the folders above it are there for good.
      let isOnIt = { (name: String) in name == path || name.hasPrefix(path + "/") }
      state.durableNames = state.durableNames.filter { !isOnIt($0.key) }
      for (name, inode) in state.names where isOnIt(name) {
        state.durableNames[name] = inode
        if let file = state.inodes[inode] {
          state.inodes[inode] = Inode(content: file.content, durable: file.content)
        }
      }
      for folder in state.folders where isOnIt(folder) || path.hasPrefix(folder + "/") {
        state.durableFolders.insert(folder)
      }
    }
  }

  func list(_ path: String) throws(FileError) -> [String] {
    try call("list", path) { state throws(FileError) in
      let children = Array(state.names.keys) + state.folders.filter { !$0.isEmpty }
      return children.filter { Self.parent($0) == path }
        .map { String($0.dropFirst(path.count + 1)) }.sorted()
    }
  }

  func room(_ path: String) throws(FileError) -> FileSystemRoom {
    try call("statvfs", path) { state throws(FileError) in
      let free = state.freeBytes.first { path.hasPrefix($0.key) }?.value ?? 1 << 40
      return FileSystemRoom(freeBytes: UInt64(free), totalBytes: 1 << 41)
    }
  }

  // MARK: What tests do to it

  /// How many calls there were.
  var calls: Int { state.withLock(\.calls) }

  /// Directories synchronised so far.
  var syncs: [String] { state.withLock(\.syncs) }

  /// Every call from the `count`th from now fails, as if the power were gone.
  func cutPower(after count: Int) { state.withLock { $0.cutAt = $0.calls + count } }

  /// Whether the power is gone.
  var isWithoutPower: Bool {
    state.withLock { state in state.cutAt.map { state.calls >= $0 } ?? false }
  }

  /// Lets calls succeed again, with all that is visible: the process was killed, not the machine.
  func givePowerBack() { state.withLock { $0.cutAt = nil } }

  /// Gives the power back, with what is left.
  func restorePower(_ random: SeededRandom) {
    state.withLock { state in
      state.cutAt = nil
      state.folders = Self.survivors(state.folders, state.durableFolders, random)
      state.durableFolders = state.folders
      var names: [String: Int] = [:]
      for name in Set(state.names.keys).union(state.durableNames.keys).sorted() {
        let inode = random.below(2) == 0 ? state.names[name] : state.durableNames[name]
        let kept = state.names[name] == state.durableNames[name] ? state.names[name] : inode
        if let kept, state.folders.contains(Self.parent(name)) { names[name] = kept }
      }
      state.names = names
      state.durableNames = names
      for inode in state.inodes.keys.sorted() {
        guard let file = state.inodes[inode], file.durable != file.content else { continue }
        let rest =
          random.below(3) == 0
          ? [UInt8](repeating: 0, count: file.content.count)
          : Array(file.content.prefix(random.below(file.content.count + 1)))
        state.inodes[inode] = Inode(content: rest, durable: rest)
      }
    }
  }

  private static func survivors(
    _ visible: Set<String>, _ durable: Set<String>, _ random: SeededRandom
  ) -> Set<String> {
    var kept: Set<String> = durable
    for folder in visible.sorted() where random.below(2) == 0 && kept.contains(parent(folder)) {
      kept.insert(folder)
    }
    return kept.filter { $0.isEmpty || kept.contains(parent($0)) }
  }

  /// The file at `path`.
  subscript(path: String) -> [UInt8]? {
    get { state.withLock { state in state.names[path].flatMap { state.inodes[$0]?.content } } }
    set {
      state.withLock { state in
        guard let newValue else {
          state.names[path] = nil
          state.durableNames[path] = nil
          return
        }
        state.calls += 1
        state.inodes[state.calls] = Inode(content: newValue, durable: newValue)
        state.names[path] = state.calls
        state.durableNames[path] = state.calls
        var folder = Self.parent(path)
        while !folder.isEmpty {
          state.folders.insert(folder)
          state.durableFolders.insert(folder)
          folder = Self.parent(folder)
        }
      }
    }
  }

  /// The paths of all files, in order.
  var paths: [String] { state.withLock { $0.names.keys.sorted() } }

  /// Whether open and read find everything in the page cache.
  func setCached(_ isCached: Bool) { state.withLock { $0.isCached = isCached } }

  /// Sets the free room below `path`.
  func setFree(_ bytes: Int, below path: String) { state.withLock { $0.freeBytes[path] = bytes } }

  /// Makes opening `path` fail as a bad sector does.
  func setUnreadable(_ path: String) { state.withLock { _ = $0.unreadable.insert(path) } }

  /// Makes synchronising directories and removing files fail.
  func setStuck(_ isStuck: Bool) { state.withLock { $0.isStuck = isStuck } }

  /// Makes renaming below `path` fail, as on a disk mounted read-only.
  func setReadOnly(_ path: String) { state.withLock { $0.readOnly = path } }

  /// Makes a folder, as an operator would.
  func addFolder(_ path: String) { state.withLock { _ = $0.folders.insert(path) } }

  /// Removes an empty folder, as an operator would.
  func removeFolder(_ path: String) { state.withLock { _ = $0.folders.remove(path) } }

  /// Takes a folder away with all it holds, as unmounting a disk does, leaving it empty.
  func unmount(_ path: String) -> [String: [UInt8]] {
    var taken: [String: [UInt8]] = [:]
    for name in paths where name.hasPrefix(path + "/") {
      taken[name] = self[name]
      self[name] = nil
    }
    state.withLock { state in
      state.folders = state.folders.filter { !$0.hasPrefix(path + "/") }
    }
    return taken
  }
}

private final class MemoryFile: ReadableFile {
  private let content: [UInt8]

  init(_ content: [UInt8]) { self.content = content }

  var byteCount: Int { content.count }

  func read(
    _ output: UnsafeMutableRawBufferPointer, at offset: Int, waiting: Bool
  ) throws(FileError) -> Int? {
    let count = max(0, min(output.count, content.count - offset))
    content.withUnsafeBytes { bytes in
      if count > 0 {
        output.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + count)]))
      }
    }
    return count
  }
}
