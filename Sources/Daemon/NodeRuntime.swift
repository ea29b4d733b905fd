// How many threads a node has.

private import Glibc
package import Reactor

/// Makes the runtime of a server.
package enum NodeRuntime {
  /// Threads for calls that block: they mostly wait for a disk, so there are more than cores; a spinning
  /// disk gains nothing from more.
  private static let blockingThreadsMin = 8

  /// A loop for each core that this process may use, and threads for blocking calls.
  package static func make() -> EventLoopGroup {
    let cores = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    return EventLoopGroup(
      loopCount: cores, blockingThreads: max(blockingThreadsMin, 4 * cores))
  }
}
