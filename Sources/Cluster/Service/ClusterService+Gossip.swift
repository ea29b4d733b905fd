// How what one member knows reaches all.
//
// A change is pushed to all connected members, each of which pushes on what was new to it. And each ping carries the
// digest of the state: where it differs, the two compare and give each other what is missing. So an idle cluster pays
// 16 bytes a ping.

package import Base
import Synchronization
package import Mesh
package import Reactor

extension ClusterService {
  /// How long a member may take to make records durable.
  static let pushMax: Duration = .seconds(10)
  /// States that differ are compared at most this often: what differs may be under way.
  private static let comparePause: Duration = .seconds(1)
  /// The pause after a comparison that changed nothing: at its bounds one may refuse what the other holds.
  private static let vainPause: Duration = .seconds(60)

  /// Registers what other members may ask.
  package func registerEndpoints(_ registry: inout EndpointRegistry.Builder) {
    registry.answer(ClusterEndpoints.push) { [self] node, message in
      try await take(message.records, from: node)
      return EmptyMessage()
    }
    registry.answer(LayoutEndpoints.decide) { [self] _, message in await answer(message) }
    registry.answer(ClusterEndpoints.compare) { [self] _, message in
      let state = state.withLock(\.cluster)
      return ComparedMessage(
        records: RecordsMessage(
          state?.missing(
            from: message.shortIDs, salt: message.salt, bytesMax: RecordsMessage.bytesMax) ?? []),
        holds: CompareMessage(
          salt: message.salt, shortIDs: state?.shortIDs(salt: message.salt) ?? []))
    }
  }

  /// Sends records to all connected members but some, and does not wait.
  func push(_ records: [[UInt8]], except others: [NodeID]) {
    guard let mesh, !records.isEmpty else { return }
    for node in mesh.connected where !others.contains(node) {
      runtime.spawn { [self] in _ = await pushed(records, to: node) }
    }
  }

  /// Sends records to `node`; `true` once they are durable there.
  ///
  /// - Parameter ends: Whether they end this node's membership: who has taken them may end the connection instead of
  ///   answering, and says why.
  nonisolated(nonsending) func pushed(
    _ records: [[UInt8]], to node: NodeID, within time: Duration = pushMax, ends: Bool = false
  ) async -> Bool {
    guard let mesh else { return false }
    do {
      for message in RecordsMessage.split(records) {
        _ = try await mesh.call(
          ClusterEndpoints.push, node, message, deadline: runtime.now + time)
      }
      return true
    } catch MeshError.disconnected(.notMember, _) where ends {
      return true
    } catch {
      // What did not arrive shows in the next digest.
      logger.debug("a push failed", [("node", node.short), ("reason", "\(error)")])
      return false
    }
  }

  /// Compares states with `node`, which knows something that this node does not.
  package func compareStates(with node: NodeID) { compare(with: node) }

  /// Compares states with `node`, unless that is under way or was done just now.
  private func compare(with node: NodeID) {
    let now = runtime.now
    let isToStart = state.withLock { state in
      guard !state.comparing.contains(node), !state.isStopped else { return false }
      if let last = state.compared[node] {
        let pause = last.hasChanged ? Self.comparePause : Self.vainPause
        guard now - last.at >= pause else { return false }
      }
      state.comparing.insert(node)
      return true
    }
    guard isToStart else { return }
    runtime.spawn { [self] in
      let hasChanged = await exchange(with: node)
      state.withLock { state in
        state.comparing.remove(node)
        state.compared[node] = (runtime.now, hasChanged)
      }
    }
  }

  /// Gives `node` what it lacks and takes what it has more; says whether anything changed on either side.
  private nonisolated(nonsending) func exchange(with node: NodeID) async -> Bool {
    guard let mesh, let before = state.withLock(\.cluster) else { return false }
    do {
      let salt = runtime.random.next()
      let answer = try await mesh.call(
        ClusterEndpoints.compare, node,
        CompareMessage(salt: salt, shortIDs: before.shortIDs(salt: salt)),
        deadline: runtime.now + Self.pushMax)
      let outcomes = try await take(answer.records.records, from: node)
      let theirs = before.missing(from: answer.holds.shortIDs, salt: salt)
      if !theirs.isEmpty { _ = await pushed(theirs, to: node) }
      return !theirs.isEmpty
        || outcomes.contains { if case .added = $0 { true } else { false } }
    } catch {
      logger.debug("states were not compared", [("node", node.short), ("reason", "\(error)")])
      return true
    }
  }
}

extension ClusterService: MeshDelegate {
  package func meshNews() -> [UInt8] {
    let (digest, observer) = state.withLock { ($0.cluster?.digest ?? [], $0.observer) }
    return digest.isEmpty ? [] : digest + (observer?.news ?? [])
  }

  package func mesh(heard news: [UInt8], from node: NodeID) {
    guard news.count >= ClusterState.digestBytes else { return }
    let (digest, observer) = state.withLock { ($0.cluster?.digest ?? [], $0.observer) }
    observer?.heard(Array(news.dropFirst(ClusterState.digestBytes)), from: node)
    if !news.starts(with: digest) { compare(with: node) }
  }

  package func mesh(connected node: NodeID, observed: SocketAddress?) {
    logger.info("connected", [("node", node.short)])
    let observer = state.withLock { state in
      state.compared[node] = nil
      return state.observer
    }
    observer?.connected(node)
    if let observed { noteObserved(observed) }
  }

  package func mesh(lost node: NodeID) {
    logger.info("the connection is lost", [("node", node.short)])
    state.withLock(\.observer)?.lost(node)
  }
}
