// Everything that S3 stores, in one place.

package import Base
package import Blocks
package import Tables

/// Buckets, access keys, objects and uploads over the tables and blocks of one node.
package final class Store: Sendable {
  /// Sizes and times.
  package struct Options: Sendable {
    /// The largest object whose bytes lie in its row: `inline_threshold`.
    package var inlineThresholdBytes = 8 << 10
    /// The least size of a part that is not the last; tests shrink it.
    package var partBytesMin = MultipartUploads.partBytesMin
    /// The greatest size of a part, and of an object that is uploaded whole; tests shrink it.
    package var uploadBytesMax = MultipartUploads.partBytesMax
    /// Whether blocks reach other nodes, so that several nodes store what needs blocks.
    ///
    /// They do not yet: set by tests of what surrounds blocks.
    package var hasDistantBlocks = false
    /// How long references of a superseded version stay: longer than a write that was overtaken may be tried
    /// again.
    ///
    /// Also how long a release waits for its next try.
    package var releaseDelay: Duration = .seconds(60)
    /// How often the release queue is looked at.
    package var releaseInterval: Duration = .seconds(10)
    /// How often an upload under way says that it is alive.
    package var renewInterval: Duration = .seconds(300)
    /// How long after its last renewal an upload is taken to be dead.
    package var reapAfter: Duration = .seconds(86_400)
    /// How often dead uploads are looked for.
    package var reapInterval: Duration = .seconds(3600)

    /// Everything at its default.
    package init() {}
  }

  package let buckets: Buckets
  package let accessKeys: AccessKeys
  package let objects: Objects
  package let uploads: MultipartUploads
  package let releaser: Releaser
  package let reaper: UploadReaper
  /// How long this node has been running, over all its runs.
  package let time: NodeTime
  private let workers: BackgroundWorkers
  private let options: Options

  /// Opens the tables and registers them with `replica`.
  ///
  /// Blocks the thread; for start-up.
  ///
  /// - Throws: `LocalDBError`.
  package init(
    _ options: Options = Options(), replica: LocalTableReplica, coordinator: TableCoordinator,
    blocks: BlockService, runtime: any Runtime, metrics: MetricsRegistry, logger: Logger
  ) throws {
    let parts = try StoreParts(
      options, replica: replica, coordinator: coordinator, blocks: blocks, runtime: runtime,
      logger: logger)
    let metrics = StoreMetrics(metrics)
    buckets = Buckets(parts)
    accessKeys = AccessKeys(parts, buckets: buckets)
    objects = Objects(parts)
    uploads = MultipartUploads(parts, objects: objects)
    releaser = Releaser(parts, metrics: metrics)
    reaper = UploadReaper(parts, metrics: metrics)
    time = parts.journal.time
    workers = BackgroundWorkers(runtime, logger: logger)
    self.options = options
  }

  /// Starts the background workers: the release queue and the reaper.
  package func start() {
    workers.start(
      every: options.releaseInterval,
      failure: "The release queue could not be worked off; it is tried again."
    ) { [releaser] in try await releaser.releaseDue() }
    workers.start(
      every: options.reapInterval,
      failure: "Unfinished uploads could not be cleaned up; it is tried again."
    ) { [reaper] in try await reaper.reap() }
  }

  /// Stops the background workers and waits for them.
  ///
  /// What they have not done stays queued.
  package func stop() async {
    await workers.stop()
    await reaper.saveTime()
  }
}
