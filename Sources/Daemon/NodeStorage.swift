// The storage of a node, built from the bottom: database, tables, blocks, model.

package import Base
package import Blocks
import Cluster
import Layout
import LocalDB
import Model
import Tables

/// Everything that a node stores, open.
package struct NodeStorage: Sendable {
  let database: LocalDatabase
  let identity: NodeIdentity
  let cluster: ClusterService
  package let blocks: BlockService
  let tables: NodeTables
  let store: Store
  private let collector: TombstoneCollector

  /// Opens it; blocks the thread, for start-up.
  ///
  /// - Parameter environment: The variables that the node was started with.
  /// - Throws: What the layers below throw.
  package init(
    _ configuration: Configuration, environment: [String: String] = [:], platform: NodePlatform,
    metrics: MetricsRegistry, logger: Logger
  ) throws {
    let runtime = platform.runtime
    try NodeIdentity.requireDatabase(in: configuration.metadataDirectory)
    var options = platform.databaseOptions(configuration.metadataDirectory)
    options.fsync = configuration.fsync
    options.logger = logger.labelled("localdb")
    let database = try LocalDatabase.open(options, random: runtime.random)
    self.database = database
    // The parts hold each other, and would hold the database open.
    var isWhole = false
    defer { if !isWhole { database.close() } }
    // The database holds the folder's lock from here on.
    identity = try NodeIdentity.open(
      in: configuration.metadataDirectory, isNew: database.commitNumber == 0, random: runtime.random
    )
    let cluster = try ClusterService(
      try Self.clusterOptions(configuration, environment), key: identity.key, database: database,
      network: platform.network, runtime: runtime, logger: logger.labelled("cluster"))
    self.cluster = cluster
    tables = try NodeTables(cluster, database: database, runtime: runtime, logger: logger)
    blocks = try BlockService(
      Self.blockOptions(configuration, platform, node: identity.id), replica: tables.replica,
      runtime: runtime, metrics: metrics, logger: logger.labelled("blocks"))
    var storeOptions = Store.Options()
    storeOptions.inlineThresholdBytes = Int(clamping: configuration.inlineThresholdBytes)
    store = try Store(
      storeOptions, replica: tables.replica, coordinator: tables.coordinator, blocks: blocks,
      runtime: runtime, metrics: metrics, logger: logger.labelled("model"))
    collector = try TombstoneCollector(
      replica: tables.replica, time: store.time, runtime: runtime,
      logger: logger.labelled("tables"), readByAll: { [sync = tables.sync] in sync.readByAll($0) })
    // The role that the first row gives this node, if it does.
    cluster.offer(capacityBytes: capacityBytes(configuration))
    isWhole = true
  }

  private static func clusterOptions(
    _ configuration: Configuration, _ environment: [String: String]
  ) throws(NodeFailure) -> ClusterService.Options {
    var options = ClusterService.Options(
      hostName: configuration.nodeName ?? HostName.current, program: GrangeVersion.text)
    options.zone = configuration.zone
    if case .factor(let factor) = configuration.replication {
      options.layoutParameters.replicationFactor = factor
    }
    options.allowsOtherHolders = environment[ExperimentalCluster.variable] == "1"
    for text in configuration.rpc.publicAddresses {
      guard let address = PeerAddress(text) else {
        throw NodeFailure("rpc.public_addresses: \"\(text)\" is no host:port")
      }
      options.publicAddresses.append(address)
    }
    for text in configuration.discovery.bootstrapPeers {
      guard let peer = BootstrapPeer(text) else {
        throw NodeFailure("discovery.bootstrap_peers: \"\(text)\" is no <node ID>@host:port")
      }
      options.bootstrapPeers.append(peer)
    }
    return options
  }

  private static func blockOptions(
    _ configuration: Configuration, _ platform: NodePlatform, node: NodeID
  ) -> BlockService.Options {
    var directories = configuration.dataDirectories.map {
      DataDirectoryOptions(
        path: $0.path, capacityBytes: $0.capacityBytes, isReadOnly: $0.isReadOnly)
    }
    // With one folder, what the node offers is what the folder may hold.
    if directories.count == 1, directories[0].capacityBytes == nil,
      case .bytes(let capacity) = configuration.capacity
    {
      directories[0].capacityBytes = capacity
    }
    var options = BlockService.Options(node: node, directories: directories)
    options.blockBytes = Int(clamping: configuration.blockBytes)
    options.compressionLevel = configuration.compressionLevel.map { Int32(clamping: $0) }
    options.fsync = configuration.fsync
    options.reserve = platform.reserve
    options.ramBufferMaxBytes = Int(clamping: configuration.blockBufferBytesMax)
    return options
  }

  /// What the node offers to store; blocks the thread for as long as the disks take to answer.
  func capacityBytes(_ configuration: Configuration) -> UInt64 {
    if case .bytes(let capacity) = configuration.capacity { return capacity }
    let directories = blocks.store.directories
    let used = directories.all.reduce(0) { $0.saturatingSum($1.usedBytes) }
    return UInt64(clamping: directories.measureRoomBytes().saturatingSum(used))
  }

  /// Puts the layout in use that rows need, on a founder that stored them before there were layouts.
  func claimRows() async throws {
    guard cluster.layout == nil, cluster.identity?.founder == cluster.own,
      case .member = cluster.standing
    else { return }
    let keys = try await store.accessKeys.list()
    let buckets = keys.isEmpty ? try await store.buckets.list() : []
    guard !keys.isEmpty || !buckets.isEmpty else { return }
    try await database.write { [cluster] in try cluster.willChangeRow(in: $0) }
  }

  /// Starts the background work; returns the task to cancel before `stop`.
  package func start(_ runtime: any Runtime) -> Task<Void, Never> {
    blocks.start()
    store.start()
    return runtime.spawn { [collector] in await collector.run() }
  }

  /// Stops the background work and closes everything.
  ///
  /// - Parameter isQuiet: Whether no request is under way. One that is finds the database closed, and may leave a
  ///   block file without reference: the stop does not count as a clean one then.
  package func stop(_ collecting: Task<Void, Never>, isQuiet: Bool) async {
    collecting.cancel()
    await tables.sync.stop()
    await store.stop()
    if isQuiet { await blocks.stop() } else { await blocks.abandon() }
    await collecting.value
    database.close()
  }
}
