// A real folder for what a test stores, and a database in it.

package import Base
private import Glibc
package import LocalDB

/// A folder of one test, removed with what it holds when the value goes away.
package final class TemporaryFolder: Sendable {
  package let path: String

  /// Makes it, in `parent`.
  package init(in parent: String = "/tmp") {
    path = parent + "/grange-test-" + Hex.encode(SystemRandom.shared.bytes(16))
    mkdir(path, 0o700)
  }

  deinit { Self.remove(path) }

  private static func remove(_ path: String) {
    guard let folder = opendir(path) else {
      unlink(path)
      return
    }
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { remove(path + "/" + name) }
    }
    closedir(folder)
    rmdir(path)
  }

  /// Opens the database `name` in this folder.
  package func open(
    _ name: String = "meta", _ writing: LocalDatabase.Options.Writing = .thread, fsync: Bool = true,
    random: any RandomSource = SystemRandom.shared
  ) throws -> LocalDatabase {
    var options = LocalDatabase.Options(path: path + "/" + name)
    options.writing = writing
    options.reserve = .bytes(0)
    options.fsync = fsync
    return try LocalDatabase.open(options, random: random)
  }
}
