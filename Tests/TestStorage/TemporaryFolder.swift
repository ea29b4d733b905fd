// A real folder for what a test stores, and a database in it.

package import Base
private import Glibc
package import LocalDB

/// A folder of one test, removed with what it holds when the value goes away.
package final class TemporaryFolder: Sendable {
  package let path: String

  /// A folder that lies in memory, where the machine has one.
  package static let memory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"

  /// Makes it, in `parent`.
  package init(in parent: String = "/tmp") {
    path = parent + "/grange-test-" + Hex.encode(SystemRandom.shared.bytes(16))
    mkdir(path, 0o700)
  }

  deinit { Self.remove(path) }

  /// Removes it and what it holds now.
  package func empty() { Self.remove(path) }

  /// Makes the folder `name` in it, if it is not there, and returns its path.
  package func makeFolder(_ name: String) -> String {
    mkdir(path + "/" + name, 0o700)
    return path + "/" + name
  }

  static func remove(_ path: String) {
    guard let names = names(in: path) else {
      unlink(path)
      return
    }
    for name in names { remove(path + "/" + name) }
    rmdir(path)
  }

  /// What is in the folder at `path`; `nil` when it is none.
  static func names(in path: String) -> [String]? {
    guard let folder = opendir(path) else { return nil }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
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
