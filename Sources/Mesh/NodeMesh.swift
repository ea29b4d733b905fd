// The connections of a node to all other members.
//
// Who is a member is decided above (Cluster) and given to `update`; here each member is a `Peer` with a task that dials it
// whenever there is no connection, for ever. Whoever proves the key of a member may connect from anywhere: addresses mean
// nothing but where to dial.

package import Base
import Codecs
package import LocalDB
package import Reactor
import Synchronization

/// What a mesh asks of the layer above.
package protocol MeshDelegate: AnyObject, Sendable {
  /// What the next ping carries beside its number: at most 64 bytes.
  func meshNews() -> [UInt8]
  /// A peer's ping said this.
  func mesh(heard news: [UInt8], from node: NodeID)
  /// There is a control connection to `node`, which sees us at `observed`, where it says so.
  func mesh(connected node: NodeID, observed: SocketAddress?)
  /// The control connection to `node` is lost.
  func mesh(lost node: NodeID)
  /// Somebody who is no member asks to join, and has proved `key`; the stream is closed when this returns.
  nonisolated(nonsending) func mesh(joining stream: TLSStream, key: NodeID) async
}

/// A node's side of the mesh.
package final class NodeMesh: Sendable {
  /// How a mesh is set up.
  package struct Options: Sendable {
    /// Where to listen.
    package var bind: SocketAddress
    /// Bytes a second over all peers; `nil` for no limit.
    package var uploadLimit: Int?
    package var downloadLimit: Int?

    package init(bind: SocketAddress, uploadLimit: Int? = nil, downloadLimit: Int? = nil) {
      self.bind = bind
      self.uploadLimit = uploadLimit
      self.downloadLimit = downloadLimit
    }
  }

  struct State {
    var cluster: ClusterID?
    var peers: [NodeID: Peer] = [:]
    /// In the order of their IDs.
    var order: [Peer] = []
    var dialling: [NodeID: Task<Void, Never>] = [:]
    /// Of peers that are gone and are still told so; few are ever removed.
    var leaving: [Task<Void, Never>] = []
    var listening: Task<Void, Never>?
    var delegate: (any MeshDelegate)?
    var isStopped = false
  }

  package let own: NodeID
  /// Names this run of the program.
  package let start: StartID
  package let addresses: AddressBook
  let network: any Network
  let runtime: any Runtime
  let logger: Logger
  let handshake: Handshake
  let limits = HandshakeLimits()
  let metrics: MeshMetrics
  let state = Mutex(State())
  private let listener: any NetworkListener
  private let endpoints: EndpointRegistry
  private let upload: RateLimiter
  private let download: RateLimiter

  /// A mesh that listens, and serves nobody before `start`.
  ///
  /// Blocks the thread, for start-up.
  ///
  /// - Parameters:
  ///   - seed: Of the node's Ed25519 key.
  ///   - database: Where addresses are kept; `nil` for memory.
  /// - Throws: `ListenError`, `TLSContextError`, `LocalDBError`.
  package init(
    _ options: Options, own: NodeID, seed: [UInt8], endpoints: EndpointRegistry,
    database: LocalDatabase?, network: any Network, runtime: any Runtime,
    metrics: MetricsRegistry, logger: Logger
  ) throws {
    self.own = own
    self.network = network
    self.runtime = runtime
    self.logger = logger
    self.endpoints = endpoints
    start = StartID(high: runtime.random.next(), low: runtime.random.next())
    handshake = Handshake(tls: try NodeTLS(seed: seed), start: start, runtime: runtime)
    addresses = try AddressBook(database)
    upload = RateLimiter(bytesPerSecond: options.uploadLimit)
    download = RateLimiter(bytesPerSecond: options.downloadLimit)
    self.metrics = MeshMetrics(metrics)
    listener = try network.listen(options.bind)
  }

  /// Where the mesh listens.
  package var localAddress: SocketAddress { listener.localAddress }

  // MARK: Life

  /// Serves who connects, and dials the members that `update` names; must be called on a loop.
  package func start(_ delegate: any MeshDelegate) {
    let task = runtime.spawn { [self] in
      await listener.serve(limit: Self.connectionsMax, logger: logger) { stream in
        await self.accept(stream)
      }
    }
    state.withLock { state in
      state.delegate = delegate
      state.listening = task
    }
  }

  /// Connections at a time: two for each of some hundred members, and handshakes of strangers.
  private static let connectionsMax = 512

  /// Says goodbye to all peers, and ends everything.
  package func stop() async {
    listener.close()
    let (peers, dialling, listening) = state.withLock { state in
      state.isStopped = true
      return (
        state.order, state.order.compactMap { state.dialling[$0.node] } + state.leaving,
        state.listening
      )
    }
    for peer in peers { peer.leave(.disconnected(.stopping, "the node stops")) }
    for task in dialling { task.cancel() }
    // Not before the goodbyes are out: who is cancelled says none.
    for task in dialling { await task.value }
    await listening?.value
    state.withLock { state in
      state.delegate = nil
      state.dialling = [:]
      state.leaving = []
    }
  }

  /// Serves a connection until it ends.
  nonisolated(nonsending) func serve(_ connection: MeshConnection, _ peer: Peer) async {
    let delegate = state.withLock(\.delegate)
    if connection.lane == .control {
      delegate?.mesh(
        connected: peer.node, observed: SocketAddress(parsing: connection.hello.observed))
    }
    let services = MeshConnectionServices(
      endpoints: endpoints, upload: upload, download: download,
      news: { delegate?.meshNews() ?? [] },
      heardNews: { delegate?.mesh(heard: $1, from: $0) })
    let reason = await connection.run(services)
    let isLost = peer.lost(connection)
    logger.debug(
      "a connection to a peer ended",
      [("node", peer.node.short), ("lane", "\(connection.lane)"), ("reason", "\(reason)")])
    if isLost { delegate?.mesh(lost: peer.node) }
  }

  // MARK: Members

  /// Takes the members of the cluster as they are now: connects to who is new, and ends with who is not there.
  ///
  /// Must be called on a loop.
  package func update(cluster: ClusterID?, members: [NodeID]) {
    let wanted = Set(members)
    let gone = state.withLock { state -> [Peer] in
      guard !state.isStopped else { return [] }
      state.cluster = cluster
      let gone = state.order.filter { !wanted.contains($0.node) }
      for peer in gone {
        state.peers[peer.node] = nil
        guard let task = state.dialling.removeValue(forKey: peer.node) else { continue }
        // Who is cancelled says no goodbye; a task that serves ends with its connections.
        if peer.connection(.control) == nil { task.cancel() } else { state.leaving.append(task) }
      }
      for node in wanted.sorted() where node != own && state.peers[node] == nil {
        let peer = Peer(node, own: own)
        state.peers[node] = peer
        state.dialling[node] = runtime.spawn { [self] in await keepConnected(peer) }
      }
      state.order = state.peers.values.sorted { $0.node < $1.node }
      return gone
    }
    for peer in gone { peer.leave(.disconnected(.notMember, "the node is no member")) }
  }

  /// Tries all peers again at once that are not connected: an address or a network has changed.
  package func dialAgain(_ node: NodeID? = nil) {
    for peer in state.withLock(\.order) where node == nil || peer.node == node { peer.bell.ring() }
  }

  /// What there is to tell of each peer, in the order of their IDs.
  package var statuses: [PeerStatus] { state.withLock(\.order).map(\.status) }

  /// Those that there is a control connection to, in the order of their IDs.
  package var connected: [NodeID] {
    state.withLock(\.order).filter { $0.connection(.control) != nil }.map(\.node)
  }

  /// How long a question to `node` and its answer travel; `nil` when there is no connection, or it is new.
  package func roundTrip(to node: NodeID) -> Duration? {
    state.withLock { $0.peers[node] }?.connection(.control)?.liveness.roundTrip
  }

  /// Whether there is a bulk connection to `node`.
  package func hasBulk(_ node: NodeID) -> Bool {
    state.withLock { $0.peers[node] }?.connection(.bulk) != nil
  }

  // MARK: Asking

  /// Asks `node`, and returns its answer.
  ///
  /// - Throws: `MeshError`; `BinaryError` for an answer that cannot be read; `CancellationError`.
  package nonisolated(nonsending) func call<Request, Answer>(
    _ endpoint: MeshEndpoint<Request, Answer>, _ node: NodeID, _ request: Request,
    deadline: MonotonicInstant
  ) async throws -> Answer {
    let stream = try await open(
      endpoint.name, lane: endpoint.lane, node, first: Framing.encode(request), isEnd: true,
      deadline: deadline)
    return try await stream.message(bytesMax: endpoint.bytesMax)
  }

  /// Opens a stream to the endpoint `name` of `node`, whose first bytes are `first`.
  ///
  /// - Throws: `MeshError`, `CancellationError`.
  package nonisolated(nonsending) func open(
    _ name: StaticString, lane: MeshLane, _ node: NodeID, first: [UInt8], isEnd: Bool,
    deadline: MonotonicInstant
  ) async throws -> MeshStream {
    let peer = state.withLock { $0.peers[node] }
    guard let connection = peer?.connection(lane) else { throw MeshError.notConnected(node) }
    return try await connection.open(name, deadline: deadline, first: first, isEnd: isEnd)
  }
}

extension NodeID {
  /// The 16 digits that people see.
  package var short: String { String(hex.prefix(16)) }
}
