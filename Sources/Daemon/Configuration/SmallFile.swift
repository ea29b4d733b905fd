// Files that are read whole: configurations, keys.

private import Glibc

/// Why a file could not be read.
struct FileFailure: Error, Equatable {
  /// The `errno`, or 0 when the file is too large.
  let code: Int32
  let text: String
}

enum SmallFile {
  /// The bytes of the file at `path`, if they are at most `bytesMax`.
  static func read(_ path: String, bytesMax: Int) throws(FileFailure) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileFailure(code: errno, text: errnoText()) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16 << 10)
    while bytes.count <= bytesMax {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw FileFailure(code: errno, text: errnoText()) }
      if count == 0 { return bytes }
      bytes.append(contentsOf: chunk[..<count])
    }
    throw FileFailure(code: 0, text: "larger than \(bytesMax) bytes")
  }

  /// Whether the file's mode lets others than owner and group read it.
  static func mayBeReadByOthers(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & 0o004 != 0
  }
}
