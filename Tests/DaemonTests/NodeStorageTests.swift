import Base
import Blocks
import Daemon
import LocalDB
import Reactor
import Testing

@Suite struct NodeStorageTests {
  /// A request that outlasts its grace may leave a block file without reference: the next start must look for such.
  @Test(arguments: [true, false])
  func onlyAStopWithoutRequestsIsNotedAsClean(isQuiet: Bool) throws {
    let folder = Files.newFolder()
    var configuration = Configuration()
    configuration.metadataDirectory = folder + "/meta"
    configuration.dataDirectories = [DataDirectorySetting(path: folder + "/data")]
    let settings = configuration
    let group = EventLoopGroup(loopCount: 1, blockingThreads: 2)
    let code = group.run {
      do {
        let storage = try NodeStorage(
          settings, platform: .machine(group), metrics: MetricsRegistry(), logger: .disabled)
        let collecting = storage.start(group)
        // The search of a first start comes after the first of these at the latest.
        for _ in 0..<2 { _ = try await storage.blocks.check() }
        await storage.stop(collecting, isQuiet: isQuiet)
        return 0
      } catch {
        Issue.record(error)
        return 1
      }
    }
    try #require(code == 0)
    let database = try LocalDatabase.open(
      LocalDatabase.Options(path: settings.metadataDirectory), random: SystemRandom.shared)
    let isClean = try database.get(database.tree("block_state"), Array("clean".utf8)) != nil
    #expect(isClean == isQuiet)
  }
}
