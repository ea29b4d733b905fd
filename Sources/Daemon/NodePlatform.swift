// What a node stands on: the machine, or in tests the simulated world.

package import Base
package import LocalDB
package import Reactor

/// What a node needs beside its configuration.
package struct NodePlatform: Sendable {
  package var runtime: any Runtime
  package var network: any Network
  /// How the metadata database in this folder is opened; what the configuration says is put on top.
  package var databaseOptions: @Sendable (_ folder: String) -> LocalDatabase.Options
  /// What is left of the disks of data folders.
  package var reserve = DiskReserve.automatic
  /// Whether the runtime's wall time is also that of files: only then do these show that the clock is wrong.
  package var hasClockOfFiles = true
  /// Where log lines go; `nil` for where the configuration says.
  package var log: LogOutput?

  package init(
    runtime: any Runtime, network: any Network,
    databaseOptions: @escaping @Sendable (_ folder: String) -> LocalDatabase.Options
  ) {
    self.runtime = runtime
    self.network = network
    self.databaseOptions = databaseOptions
  }

  /// The machine.
  package static func machine(_ group: EventLoopGroup) -> Self {
    let loopCount = group.loops.count
    return Self(runtime: group, network: SocketNetwork(group)) { folder in
      var options = LocalDatabase.Options(path: folder)
      // Each loop reads, and so do a few threads.
      options.readersMax = loopCount + 2
      return options
    }
  }
}
