// The files around the database: the folder, its lock, and making names durable.

import Base
private import Glibc

/// Holds a metadata folder for this process.
///
/// The kernel lets go when the process ends, however it ends.
final class FolderLock: Sendable {
  private let descriptor: Int32

  /// Locks the folder.
  ///
  /// - Throws: `LocalDBError.inUse` when another open database, in this process or another, has it.
  init(folder: String) throws {
    let path = folder + "/lock"
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw LocalDBError.failure(path: path, detail: errorText(errno)) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      var text = [UInt8](repeating: 0, count: 20)
      let count = pread(descriptor, &text, text.count, 0)
      close(descriptor)
      let digits = String(decoding: text.prefix(max(0, count)), as: UTF8.self)
      throw LocalDBError.inUse(path: folder, pid: Int(digits.prefix { $0.isNumber }) ?? 0)
    }
    // Only now: an initializer that throws after it has set everything runs `deinit`, and a descriptor that
    // is closed twice is another file's.
    self.descriptor = descriptor
    let pid = Array("\(getpid())\n".utf8)
    // The number only helps people: failing to write it is no reason not to start.
    if ftruncate(descriptor, 0) == 0 { _ = pwrite(descriptor, pid, pid.count, 0) }
  }

  deinit { close(descriptor) }
}

/// Makes `folder`, and those above it that are missing, for this user alone.
func makeFolder(_ folder: String) throws {
  if mkdir(folder, 0o700) == 0 {
    return try syncFolder(parent(of: folder))
  }
  switch errno {
  case EEXIST: return
  case ENOENT where parent(of: folder) != folder:
    try makeFolder(parent(of: folder))
    guard mkdir(folder, 0o700) == 0 || errno == EEXIST else { break }
    return try syncFolder(parent(of: folder))
  default: break
  }
  throw LocalDBError.failure(path: folder, detail: errorText(errno))
}

/// Makes the names in `folder` durable.
func syncFolder(_ folder: String) throws {
  let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard descriptor >= 0 else { throw LocalDBError.failure(path: folder, detail: errorText(errno)) }
  defer { close(descriptor) }
  guard fsync(descriptor) == 0 else {
    throw LocalDBError.failure(path: folder, detail: errorText(errno))
  }
}

/// Whether there is a file at `path`.
///
/// - Throws: When that cannot be found out: a file that cannot be looked at must not be taken for missing.
func fileExists(_ path: String) throws -> Bool {
  var status = stat()
  if stat(path, &status) == 0 { return true }
  guard errno == ENOENT else { throw LocalDBError.failure(path: path, detail: errorText(errno)) }
  return false
}

/// The first `count` bytes of the file at `path`, or all of a shorter one.
///
/// - Throws: When they cannot be read: a disk that fails is no damaged file.
func firstBytes(_ path: String, _ count: Int) throws -> [UInt8] {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { throw LocalDBError.failure(path: path, detail: errorText(errno)) }
  defer { close(descriptor) }
  var bytes = [UInt8](repeating: 0, count: count)
  let got = pread(descriptor, &bytes, count, 0)
  guard got >= 0 else { throw LocalDBError.failure(path: path, detail: errorText(errno)) }
  return Array(bytes.prefix(got))
}

/// Makes the bytes of the file at `path` durable, and gives it the name `name` in the same folder.
///
/// - Throws: When there is something called `name`, be it a link that leads nowhere; it is left as it is.
func publishFile(_ path: String, as name: String) throws {
  let descriptor = open(path, O_RDWR | O_CLOEXEC)
  guard descriptor >= 0 else { throw LocalDBError.failure(path: path, detail: errorText(errno)) }
  defer { close(descriptor) }
  guard fsync(descriptor) == 0 else {
    throw LocalDBError.failure(path: path, detail: errorText(errno))
  }
  if link(path, name) == 0 {
    removeFile(path)
  } else {
    // FAT and its like have no links: there the folder's lock keeps others from making the file meanwhile.
    guard [EPERM, EOPNOTSUPP, ENOSYS].contains(errno), try !fileExists(name),
      rename(path, name) == 0
    else { throw LocalDBError.failure(path: name, detail: errorText(errno)) }
  }
  try syncFolder(parent(of: name))
}

/// Writes the bytes of the file at `path` to their places once more, and makes them and its name durable.
///
/// The kernel may hold more of a file than the disk does: a process that was killed had not synced it yet, or
/// fsync(2) failed, and from then on the pages that it could not write count as written, for later processes too. A
/// sync alone would not find them. No file is fine.
func makeDurableAnew(_ path: String) throws {
  let descriptor = open(path, O_RDWR | O_CLOEXEC)
  if descriptor < 0, errno == ENOENT { return }
  func check(_ isDone: Bool) throws {
    if isDone { return }
    if errno == ENOSPC || errno == EDQUOT { throw LocalDBError.diskFull(path: path) }
    throw LocalDBError.failure(path: path, detail: errorText(errno))
  }
  try check(descriptor >= 0)
  defer { close(descriptor) }
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
  defer { buffer.deallocate() }
  var offset = 0
  while true {
    let count = pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
    try check(count >= 0)
    if count == 0 { break }
    let written = pwrite(descriptor, buffer.baseAddress, count, off_t(offset))
    try check(written > 0)
    offset += written
  }
  try check(fsync(descriptor) == 0)
  try syncFolder(parent(of: path))
}

/// Removes the file at `path`, if there is one.
func removeFile(_ path: String) { unlink(path) }

private func parent(of path: String) -> String {
  guard let slash = path.lastIndex(of: "/") else { return "." }
  return slash == path.startIndex ? "/" : String(path[..<slash])
}

func errorText(_ number: Int32) -> String {
  strerror(number).map { String(cString: $0) } ?? "errno \(number)"
}

/// Whether the disk that holds `path` has more left than `reserve`; yes when it does not say.
func hasRoom(_ path: String, beyond reserve: DiskReserve) -> Bool {
  var facts = statvfs()
  guard statvfs(path, &facts) == 0 else { return true }
  let unit = UInt64(facts.f_frsize)
  return UInt64(facts.f_bavail).saturatingProduct(unit)
    >= reserve.bytes(totalBytes: UInt64(facts.f_blocks).saturatingProduct(unit))
}
