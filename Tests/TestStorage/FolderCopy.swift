// What a folder held, to be put back later.

private import Glibc

/// The files of a folder, in memory.
package final class FolderCopy: Sendable {
  private let path: String
  private let files: [(name: String, bytes: [UInt8])]

  /// The names of the files.
  package var names: [String] { files.map(\.name) }

  /// Copies the files in `path`; folders in it are left out, and a folder that is not there counts as empty.
  package init(of path: String) {
    self.path = path
    files = (TemporaryFolder.names(in: path) ?? []).sorted().compactMap { name in
      Self.bytes(of: path + "/" + name).map { (name, $0) }
    }
  }

  /// Puts the files back, and removes those that came later.
  package func restore() {
    mkdir(path, 0o700)
    for name in TemporaryFolder.names(in: path) ?? [] { unlink(path + "/" + name) }
    for (name, bytes) in files {
      guard let file = fopen(path + "/" + name, "w") else {
        preconditionFailure("\(path)/\(name) cannot be restored: errno \(errno)")
      }
      let written = fwrite(bytes, 1, bytes.count, file)
      fclose(file)
      precondition(written == bytes.count, "\(path)/\(name) was not restored: errno \(errno)")
    }
  }

  private static func bytes(of path: String) -> [UInt8]? {
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
      let file = fopen(path, "r")
    else { return nil }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    let count = fread(&bytes, 1, bytes.count, file)
    precondition(count == bytes.count, "\(path) was not read as a whole: errno \(errno)")
    return bytes
  }
}
