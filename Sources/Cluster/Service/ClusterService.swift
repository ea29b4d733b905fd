// A node's part in its cluster: what it knows, how it spreads, who comes in and who goes.
//
// Everything that is known is in one `ClusterState`, on disk and in memory. Whatever changes it goes through `take`, which
// makes it durable before anybody is told: first the disk, then the mesh (whom to connect to), then the other members.
//
// Invariants:
//   1. A node gets one cluster ID in its life: it mints one in the transaction of its first change, or adopts one in the
//      transaction that makes it a member; both fail if there is one.
//   2. A node that was given a token never mints.
//   3. A cluster gets one first layout version, which its founder decides in a transaction that fails if there is one.
//   4. Nothing of a record is believed before its signature was found right, and nothing of a node that is no member counts.

package import Base
import Codecs
package import Crypto
package import Layout
package import LocalDB
package import Mesh
package import Reactor
import Synchronization

/// What a node is to its cluster.
package enum ClusterStanding: Equatable, Sendable {
  /// It has no cluster yet, and founds one with its first change.
  case fresh
  /// It has a token and is no member yet; why not.
  case joining(String)
  case member
  /// It was a member; why it is none.
  case ended(Membership.Absence)
}

/// The membership of one node.
package final class ClusterService: Sendable {
  /// What a node says of itself.
  package struct Options: Sendable {
    package var hostName: String
    /// As configured; `nil` takes that of the invite, or the host name.
    package var zone: String?
    package var program: String
    /// Where others reach this node, as an operator says.
    package var publicAddresses: [PeerAddress] = []
    /// Where others were, as an operator says.
    package var bootstrapPeers: [BootstrapPeer] = []
    /// What the cluster's first layout version has, if this node founds it and nobody says otherwise.
    package var layoutParameters = LayoutParameters()
    /// Whether others than the founder may store: `ExperimentalCluster` says what is missing yet.
    package var allowsOtherHolders = false

    package init(hostName: String, program: String) {
      self.hostName = hostName
      self.program = program
    }
  }

  struct State {
    var identity: ClusterIdentity?
    /// With `identity`, and only then.
    var cluster: ClusterState?
    var mesh: NodeMesh?
    var joining: Joining?
    /// Where peers see this node, the newest first.
    var observed: [SocketAddress] = []
    var observer: (any ClusterObserver)?
    var comparing: Set<NodeID> = []
    /// When the state was compared with a peer last, and whether that changed anything.
    var compared: [NodeID: (at: MonotonicInstant, hasChanged: Bool)] = [:]
    /// What this node offers to store.
    var capacityBytes: UInt64?
    /// Whether another layout version was met than the one of its number that is held.
    var hasLayoutConflict = false
    var layoutObservers: [@Sendable () -> Void] = []
    var tasks: [Task<Void, Never>] = []
    var isStopped = false
  }

  /// A token that this node was given, and how far it came.
  struct Joining {
    var token: JoinToken?
    /// Why the node is no member yet.
    var reason: String
    var task: Task<Void, Never>?
  }

  package let own: NodeID
  let key: Ed25519PrivateKey
  package let options: Options
  let store: ClusterStore
  let network: any Network
  let runtime: any Runtime
  let logger: Logger
  let tries = JoinTries()
  private let turns = Turns()
  private let holds = Atomic(true)
  /// See `layoutNumber`; changed by the writer only, and before the node runs.
  let newestLayout = Atomic<UInt64>(0)
  let state = Mutex(State())

  /// Reads what is known.
  ///
  /// Blocks the thread, for start-up.
  ///
  /// - Throws: `LocalDBError`, `BinaryError`.
  package init(
    _ options: Options, key: Ed25519PrivateKey, database: LocalDatabase, network: any Network,
    runtime: any Runtime, logger: Logger
  ) throws {
    guard let own = NodeID(key.publicKey) else { preconditionFailure("a key has 32 bytes") }
    self.own = own
    self.key = key
    self.options = options
    self.network = network
    self.runtime = runtime
    self.logger = logger
    store = try ClusterStore(database)
    try load()
    if identity == nil, let token = try store.token() { given(token) }
  }

  /// Takes what the database says: at the start, and after the node has founded its cluster.
  func load() throws {
    guard let identity = try store.identity() else { return }
    var cluster = ClusterState(cluster: identity.cluster, founder: identity.founder)
    cluster.merge(try store.allRecords(), now: runtime.wallNow)
    newestLayout.store(try store.layoutNumber() ?? 0, ordering: .releasing)
    state.withLock { state in
      guard state.identity == nil else { return }
      state.identity = identity
      state.cluster = cluster
    }
    noteHolding()
  }

  // MARK: Life

  /// Connects to the other members, and keeps the state equal everywhere; must be called on a loop.
  ///
  /// - Parameter mesh: It must have the endpoints of `registerEndpoints`.
  package func start(_ mesh: NodeMesh) {
    state.withLock { $0.mesh = mesh }
    for peer in options.bootstrapPeers { mesh.addresses.tell([peer.address], of: peer.node) }
    mesh.start(self)
    memberChanged()
    let tasks = [
      runtime.spawn { [self] in await keepAnnouncing() },
      runtime.spawn { [self] in await keepAskingWhyRefused() },
    ]
    state.withLock { $0.tasks += tasks }
  }

  /// Ends everything but the mesh's own life, which `mesh.stop` ends.
  package func stop() async {
    let (tasks, mesh) = state.withLock { state in
      state.isStopped = true
      return (state.tasks + [state.joining?.task].compactMap(\.self), state.mesh)
    }
    for task in tasks { task.cancel() }
    await mesh?.stop()
    for task in tasks { await task.value }
    state.withLock { state in
      state.mesh = nil
      // It holds what holds this.
      state.observer = nil
    }
  }

  /// Says what this node offers to store: it tells the others, and its first row makes that its role.
  package func offer(capacityBytes: UInt64) {
    state.withLock { $0.capacityBytes = capacityBytes }
  }

  /// The mesh, while it runs.
  var mesh: NodeMesh? { state.withLock(\.mesh) }

  // MARK: What is known

  /// The cluster; `nil` on a node that has none yet.
  package var identity: ClusterIdentity? { state.withLock(\.identity) }

  /// Whether the cluster is this node's own, or will be once it has one.
  package var isFounder: Bool { identity.map { $0.founder == own } ?? true }

  /// What this node is to its cluster.
  package var standing: ClusterStanding {
    state.withLock { state in
      guard let cluster = state.cluster else {
        return state.joining.map { .joining($0.reason) } ?? .fresh
      }
      return cluster.membership.absence(of: own).map { .ended($0) } ?? .member
    }
  }

  /// Whether this node holds objects: it has a role for that, or may take it with its first row.
  ///
  /// Asked by every request.
  package var isHolder: Bool { holds.load(ordering: .relaxed) }

  /// Computes `isHolder` anew; to be called after every change of what it depends on.
  func noteHolding() {
    let (hasChanged, observer) = state.withLock { state in
      let isHolder = state.cluster.map(holds(in:)) ?? (state.joining == nil)
      return (holds.exchange(isHolder, ordering: .relaxed) != isHolder, state.observer)
    }
    if hasChanged { observer?.clusterChanged() }
  }

  private func holds(in cluster: ClusterState) -> Bool {
    guard cluster.membership.contains(own) else { return false }
    guard let layout = cluster.currentLayout else { return cluster.founder == own }
    return layout.storageNodes.contains(own)
  }

  // MARK: Changing

  /// Why a record was not taken.
  struct NoCluster: Error {}

  /// Takes records: makes them durable, and tells whoever has to know.
  ///
  /// - Parameter source: Who sent them; `nil` for this node's own.
  @discardableResult
  nonisolated(nonsending) func take(
    _ records: [[UInt8]], from source: NodeID?
  ) async throws -> [MergeOutcome] {
    guard !records.isEmpty else { return [] }
    let outcomes = try await change { cluster, now in cluster.merge(records, now: now) }
    let added = outcomes.compactMap { outcome in
      if case .added(let id, _) = outcome { id } else { nil }
    }
    if !added.isEmpty { spread(added, except: source) }
    if outcomes.contains(where: \.isLayoutConflict) {
      state.withLock { $0.hasLayoutConflict = true }
    }
    for case .refused(let refusal) in outcomes {
      logger.debug(
        "a record was refused", [("from", source?.short ?? "own"), ("reason", "\(refusal)")])
    }
    return outcomes
  }

  /// Changes the state, one change at a time: memory has it once the disk has.
  ///
  /// What is written is decided before the transaction, whose body the database may run more than once.
  ///
  /// - Parameter decide: Changes a copy of the state, at a wall time; it returns what came of each record. What it throws
  ///   leaves everything as it was.
  nonisolated(nonsending) func change(
    _ decide: (inout ClusterState, WallTime) throws -> [MergeOutcome]
  ) async throws -> [MergeOutcome] {
    try await turns.take {
      guard var cluster = state.withLock(\.cluster) else { throw NoCluster() }
      let outcomes = try decide(&cluster, runtime.wallNow)
      var added: [ClusterRecord] = []
      var removed: [RecordID] = []
      for case .added(let id, let dropped) in outcomes {
        if let record = cluster[id] { added.append(record) }
        removed += dropped
      }
      guard !added.isEmpty || !removed.isEmpty else { return outcomes }
      let (puts, drops) = (added, removed)
      try await store.database.write { [self] transaction in
        for record in puts { try put(record, in: transaction) }
        for id in drops { try store.drop(id, in: transaction) }
      }
      replace(by: cluster)
      return outcomes
    }
  }

  /// Takes a changed state whose changes are durable.
  private func replace(by changed: ClusterState) {
    let hasNewLayout = state.withLock { state in
      let before = state.cluster?.layoutRecords ?? []
      var changed = changed
      // A first row may have made one meanwhile: that needs no turn.
      if before.count > changed.layoutRecords.count {
        changed.merge(before.map(\.bytes), now: runtime.wallNow)
      }
      state.cluster = changed
      return changed.layoutRecords.count > before.count
    }
    noteHolding()
    if hasNewLayout { tellLayoutObservers() }
  }

  /// Tells the mesh and the other members of records that are new here.
  ///
  /// Who is expelled by them hears it as long as it is connected: afterwards nobody speaks with it, and it would look for
  /// its peers for ever. A node that is put out itself, and them with it, may be the only one who knows.
  func spread(_ added: [RecordID], except source: NodeID?) {
    let (records, expelled, isMember) = state.withLock { state in
      (
        added.compactMap { state.cluster?[$0] }, expelledPeers(state),
        state.cluster?.membership.contains(own) ?? false
      )
    }
    let bytes = records.map(\.bytes)
    push(bytes, except: expelled + [source].compactMap(\.self))
    let endings = records.filter { $0.kind == .ending }.map(\.bytes)
    guard !expelled.isEmpty, !endings.isEmpty else { return memberChanged() }
    // Among equals also what the endings rest on.
    let farewell = isMember ? endings : bytes
    runtime.spawn { [self] in
      await withTaskGroup(of: Void.self) { group in
        for node in expelled {
          group.addTask { _ = await self.pushed(farewell, to: node, within: Self.farewellMax) }
        }
      }
      memberChanged()
    }
  }

  /// How long one who is expelled may keep its connection after that: to hear of it takes one round trip.
  private static let farewellMax: Duration = .seconds(1)

  /// Who is connected and no member; a node that leaves knows it.
  private func expelledPeers(_ state: State) -> [NodeID] {
    guard let cluster = state.cluster else { return [] }
    return (state.mesh?.connected ?? []).filter { node in
      guard !cluster.membership.contains(node) else { return false }
      guard case .ended(let endings) = cluster.membership.absence(of: node) else { return true }
      return !endings.contains { cluster[$0]?.signer == node }
    }
  }

  /// Tells the mesh who is a member and where.
  ///
  /// Also on a node that is none: others may not know yet that it left, or may know that whoever expelled it was expelled
  /// before. Who knows better tells it when they compare; who agrees refuses its key.
  func memberChanged() {
    let (mesh, identity, cluster, isLocal) = state.withLock { state in
      (state.mesh, state.identity, state.cluster, state.isStopped)
    }
    guard let mesh, let identity, let cluster, !isLocal else { return }
    var hasNews: [NodeID] = []
    for announcement in cluster.announcements where announcement.body.node != own {
      let addresses = candidates(announcement.body, beside: cluster.announcement(of: own)?.body)
      if mesh.addresses.announce(addresses, of: announcement.body.node) {
        hasNews.append(announcement.body.node)
      }
    }
    mesh.update(cluster: identity.cluster, members: cluster.membership.members)
    for node in hasNews { mesh.dialAgain(node) }
  }
}

/// A peer that an operator names: `<node ID>@host:port`.
package struct BootstrapPeer: Equatable, Sendable {
  package var node: NodeID
  package var address: HostAndPort

  /// Reads the text; `nil` for anything else.
  package init?(_ text: String) {
    let parts = text.split(separator: "@", maxSplits: 1)
    guard parts.count == 2, let node = NodeID(hex: parts[0]),
      let address = HostAndPort(parsing: String(parts[1])), address.port != 0
    else { return nil }
    self.node = node
    self.address = address
  }
}
