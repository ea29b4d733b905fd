import Base
import Glibc
import LocalDB

/// A folder of one test, removed with what it holds when the value goes away.
final class TemporaryFolder: Sendable {
  let path: String

  init() {
    path = "/tmp/grange-test-" + Identifier16<Never>(random: SystemRandom.shared).hex
    mkdir(path, 0o700)
  }

  deinit {
    Self.remove(path)
  }

  private static func remove(_ path: String) {
    if let folder = opendir(path) {
      while let entry = readdir(folder) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != "." && name != ".." { remove(path + "/" + name) }
      }
      closedir(folder)
      rmdir(path)
    } else {
      unlink(path)
    }
  }

  /// Opens the database `name` in this folder, with writes on the caller's thread.
  func open(_ name: String = "meta", random: any RandomSource) throws -> LocalDatabase {
    var options = LocalDatabase.Options(path: path + "/" + name)
    options.writing = .inline
    options.fsync = false
    return try LocalDatabase.open(options, random: random)
  }
}
