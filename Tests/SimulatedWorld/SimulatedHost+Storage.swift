// The folder of a simulated host, and when its databases commit.

import Base
package import LocalDB
package import TestStorage

extension SimulatedHost: CommitScheduler {
  /// How long a writer's thread takes to wake up, and its callers to hear of a commit: long enough for something to
  /// happen meanwhile.
  private static let wakeDelay: ClosedRange<Duration> = .zero ... .microseconds(100)

  package func schedule(_ step: CommitStep, _ action: @escaping @Sendable () -> Void) {
    guard step == .commit else {
      return at(now + world.worldRandom.duration(in: Self.wakeDelay), action)
    }
    commitsUnderWay += 1
    at(now + world.worldRandom.duration(in: commitDelay)) { [self] in
      commitsUnderWay -= 1
      world.counters.commits += 1
      action()
    }
  }

  package func didOpen(abandon: @escaping @Sendable () -> Void) { life.atEnd(abandon) }

  /// The host's folder, in memory.
  package var folder: String { world.folder.makeFolder(name) }

  /// The options of a database in the folder `name` of this host, whose commits take `commitDelay`.
  ///
  /// They are durable: a host that dies without having synced anything would have a new incarnation, as it should.
  package func databaseOptions(_ name: String = "meta") -> LocalDatabase.Options {
    databaseOptions(path: folder + "/" + name)
  }

  /// As `databaseOptions`, for a folder anywhere.
  package func databaseOptions(path: String) -> LocalDatabase.Options {
    var options = LocalDatabase.Options(path: path)
    options.writing = .scheduled(self)
    options.reserve = .bytes(0)
    // Many nodes share the memory of one process.
    options.cacheBytes = 1 << 20
    return options
  }

  /// Copies a folder of this host, which must not run.
  package func copyFolder(_ name: String = "meta") -> FolderCopy {
    precondition(state != .running, "a folder in use cannot be copied as a whole")
    return FolderCopy(of: folder + "/" + name)
  }

  /// Puts back what a folder of this host held, which must not run: a backup, or an old snapshot of the disk.
  package func rollBack(to copy: FolderCopy) {
    precondition(state != .running, "a folder in use cannot be replaced")
    world.counters.rollbacks += 1
    copy.restore()
  }
}
