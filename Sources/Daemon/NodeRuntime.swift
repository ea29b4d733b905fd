// How many threads a node has, and what memory they share.

private import CShims
private import Glibc
package import Reactor

/// Makes the runtime of a server.
package enum NodeRuntime {
  /// Threads for calls that block: they mostly wait for a disk, so there are more than cores; a spinning
  /// disk gains nothing from more.
  private static let blockingThreadsMin = 8

  /// Arenas of malloc beside those of the loops, which allocate the most, for all other threads.
  private static let sharedArenas = 2

  /// A loop for each core of the machine, and threads for blocking calls.
  ///
  /// For the start of the process.
  package static func make() -> EventLoopGroup {
    let cores = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    // Each thread would have one of its own, with 64 MiB of addresses: with a limit of 1 GB (ulimit -v) none would
    // be left for blocks.
    _ = cshims_limit_arenas(Int32(clamping: cores + sharedArenas))
    return EventLoopGroup(
      loopCount: cores, blockingThreads: max(blockingThreadsMin, 4 * cores))
  }
}
