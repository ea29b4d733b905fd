// The operating system's file system.

private import Base
private import CShims
private import Glibc

extension FileError {
  package var description: String {
    let advice =
      code == EIO
      ? "; look at the disk's health (smartctl, dmesg)"
      : code == EROFS ? "; look why (dmesg), then mount it writable" : ""
    return "\(call) \(path): \(String(cString: strerror(code)))\(advice)"
  }

  /// Whether there is no room left, for this user or at all.
  var isFull: Bool { code == ENOSPC || code == EDQUOT }

  /// Whether this process or machine has no more of what a call takes: it may have in a moment.
  package var isShortage: Bool { code == EMFILE || code == ENFILE || code == ENOMEM }

  /// Whether a part of the path is not there.
  var isMissing: Bool { code == ENOENT || code == ENOTDIR }

  /// Whether nothing can be changed there.
  var isReadOnly: Bool { code == EROFS || code == EACCES || code == EPERM }
}

/// The operating system's file system.
package struct SystemFiles: FileSystem {
  package init() {}

  package func makeDirectory(_ path: String) throws(FileError) {
    if mkdir(path, 0o750) != 0, errno != EEXIST {
      throw FileError("mkdir", path, code: errno)
    }
  }

  package func write(
    _ path: String, _ parts: [UnsafeRawBufferPointer], syncing: Bool
  ) throws(FileError) {
    let file = retrying { Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o640) }
    guard file >= 0 else { throw FileError("open", path, code: errno) }
    defer { close(file) }
    // Who does not sync wants the cache to take the bytes and the call to return.
    let failure = writeParts(parts, to: file, directly: syncing)
    if failure != 0 { throw FileError("write", path, code: failure) }
    // The length is part of what fdatasync puts on stable storage; times are not, and nobody reads them.
    if syncing, retrying({ fdatasync(file) }) != 0 {
      throw FileError("fdatasync", path, code: errno)
    }
  }

  package func open(_ path: String, waiting: Bool) throws(FileError) -> OpenedFile {
    let file = retrying {
      waiting ? Glibc.open(path, O_RDONLY | O_CLOEXEC) : cshims_open_cached(path)
    }
    if file >= 0 { return .file(try SystemFile(file, path)) }
    if errno == ENOENT { return .missing }
    // Not only EAGAIN: a kernel before 5.12 has no such call, a container may forbid it. The call that waits
    // will tell what is really wrong.
    if !waiting { return .wouldWait }
    throw FileError("open", path, code: errno)
  }

  package func rename(_ path: String, to newPath: String) throws(FileError) {
    if Glibc.rename(path, newPath) != 0 { throw FileError("rename", newPath, code: errno) }
  }

  package func remove(_ path: String) throws(FileError) -> Bool {
    if unlink(path) == 0 { return true }
    if errno == ENOENT { return false }
    throw FileError("unlink", path, code: errno)
  }

  package func syncDirectory(_ path: String) throws(FileError) {
    try withDirectory(path) { (file) throws(FileError) in
      if retrying({ fsync(file) }) != 0 { throw FileError("fsync", path, code: errno) }
    }
  }

  package func syncAll(_ path: String) throws(FileError) {
    try withDirectory(path) { (file) throws(FileError) in
      if retrying({ cshims_syncfs(file) }) != 0 { throw FileError("syncfs", path, code: errno) }
    }
  }

  private func withDirectory(
    _ path: String, _ body: (Int32) throws(FileError) -> Void
  ) throws(FileError) {
    let file = retrying { Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    guard file >= 0 else { throw FileError("open", path, code: errno) }
    defer { close(file) }
    try body(file)
  }

  package func list(_ path: String) throws(FileError) -> [String] {
    guard let directory = opendir(path) else {
      if errno == ENOENT { return [] }
      throw FileError("opendir", path, code: errno)
    }
    defer { closedir(directory) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(directory) else { break }
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    if errno != 0 { throw FileError("readdir", path, code: errno) }
    return names
  }

  package func room(_ path: String) throws(FileError) -> FileSystemRoom {
    var facts = statvfs()
    guard retrying({ statvfs(path, &facts) }) == 0 else {
      throw FileError("statvfs", path, code: errno)
    }
    let unit = UInt64(facts.f_frsize)
    return FileSystemRoom(
      freeBytes: UInt64(facts.f_bavail).saturatingProduct(unit),
      totalBytes: UInt64(facts.f_blocks).saturatingProduct(unit))
  }
}

/// A file of the operating system, open for reading.
private final class SystemFile: ReadableFile {
  let byteCount: Int
  private let file: Int32
  private let path: String

  /// Takes over the open descriptor `file`.
  init(_ file: Int32, _ path: String) throws(FileError) {
    self.file = file
    self.path = path
    var facts = stat()
    byteCount = fstat(file, &facts) == 0 ? Int(facts.st_size) : -1
    if byteCount < 0 { throw FileError("fstat", path, code: errno) }
  }

  deinit { close(file) }

  func read(
    _ output: UnsafeMutableRawBufferPointer, at offset: Int, waiting: Bool
  ) throws(FileError) -> Int? {
    var done = 0
    while done < output.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: output[done...])
      let count = retrying {
        waiting
          ? pread(file, rest.baseAddress, rest.count, offset + done)
          : cshims_pread_nowait(file, rest.baseAddress, rest.count, offset + done)
      }
      if count == 0 { break }
      if count < 0 {
        // EAGAIN: not in the page cache. EOPNOTSUPP: this file system cannot tell.
        if !waiting { return nil }
        throw FileError("read", path, code: errno)
      }
      done += count
    }
    return done
  }
}

/// Calls `body` again as long as a signal interrupts it.
func retrying<Number: SignedInteger>(_ body: () -> Number) -> Number {
  while true {
    let result = body()
    if result != -1 || errno != EINTR { return result }
  }
}
