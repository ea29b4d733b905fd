// Dialling peers: all addresses of one, a little after each other, until one proves the peer's key.
//
// The addresses of homes repeat themselves (192.168.1.10), and some are old. So the next one is tried before the one before
// has failed, as browsers do (RFC 8305), and only the first that proves the key goes on to a hello.

package import Base
package import Reactor
import Synchronization

extension NodeMesh {
  /// How long one address is tried alone.
  private static let stagger: Duration = .milliseconds(300)
  /// How long all addresses together are tried.
  private static let roundMax: Duration = .seconds(10)
  /// The pause after the first round that failed; it doubles with each, up to `backOffMax`.
  private static let backOffMin: Duration = .milliseconds(500)
  /// A peer that has come back is found by this time at the latest, if it does not dial itself.
  private static let backOffMax: Duration = .seconds(60)
  /// The higher ID of a pair waits this long before it dials: mostly the lower one has dialled by then, and there is one
  /// connection to decide about.
  private static let courtesy: Duration = .milliseconds(150)
  /// Addresses that one name may stand for.
  private static let addressesOfNameMax = 4

  /// Keeps a connection to `peer`, until the task is cancelled.
  func keepConnected(_ peer: Peer) async {
    var pause = Self.backOffMin
    do {
      if own > peer.node { try await runtime.sleep(for: Self.courtesy) }
      while !peer.isGone {
        if peer.connection(.control) != nil {
          pause = Self.backOffMin
          try await peer.bell.sleep(until: .distantFuture, on: runtime)
          continue
        }
        if await dial(peer) {
          pause = Self.backOffMin
          continue
        }
        guard peer.connection(.control) == nil else { continue }
        let began = runtime.now
        try await peer.bell.sleep(until: began + jittered(pause), on: runtime)
        // A ring means that something has changed.
        pause = runtime.now - began < pause / 2 ? Self.backOffMin : min(pause * 2, Self.backOffMax)
      }
    } catch {
      return
    }
  }

  /// Between three quarters of `pause` and all of it: nodes that lost each other at once do not dial at once.
  private func jittered(_ pause: Duration) -> Duration {
    pause * 3 / 4 + .nanoseconds(Int64(runtime.random.below(Int(pause.wholeNanoseconds / 4) + 1)))
  }

  /// Dials `peer` at all its addresses and serves the connection until it ends; `false` when nobody answered.
  private nonisolated(nonsending) func dial(_ peer: Peer) async -> Bool {
    guard let cluster = state.withLock(\.cluster) else { return false }
    let candidates = await resolved(addresses.candidates(of: peer.node), of: peer.node)
    guard let (secured, address) = await race(peer, candidates) else { return false }
    do {
      let control = try await handshake.greet(secured, cluster: cluster, lane: .control)
      if let refusal = peer.admit(control) {
        control.discard()
        throw refusal
      }
      await withTaskGroup(of: Bool.self) { group in
        group.addTask {
          await self.serve(control, peer)
          return true
        }
        group.addTask {
          await self.noteWorked(address, peer)
          await self.keepBulk(peer, address.resolved, cluster: cluster)
          return false
        }
        // The bulk connection ends with the control connection.
        while let isServed = await group.next(), !isServed {}
        group.cancelAll()
      }
      return true
    } catch MeshError.disconnected(.superseded, _) {
      // There is another one.
      return true
    } catch {
      peer.failed([DialFailure(address: address.asWritten, reason: "\(error)")])
      return false
    }
  }

  private nonisolated(nonsending) func noteWorked(_ address: Candidate, _ peer: Peer) async {
    do {
      try await addresses.worked(address.asWritten, of: peer.node, at: runtime.wallNow)
    } catch {
      logger.debug("an address was not noted", [("error", "\(error)")])
    }
  }

  /// Keeps the bulk connection beside a control connection that this node dialled.
  private nonisolated(nonsending) func keepBulk(
    _ peer: Peer, _ address: SocketAddress, cluster: ClusterID
  ) async {
    var pause = Self.backOffMin
    while !Task.isCancelled, !peer.isGone {
      if peer.connection(.bulk) == nil {
        do {
          let secured = try await handshake.dial(
            address, expecting: peer.node, applicationProtocol: NodeTLS.memberProtocol,
            over: network)
          let bulk = try await handshake.greet(secured, cluster: cluster, lane: .bulk)
          if let refusal = peer.admit(bulk) {
            bulk.discard()
            throw refusal
          }
          pause = Self.backOffMin
          await serve(bulk, peer)
        } catch {
          logger.debug(
            "no bulk connection", [("node", peer.node.short), ("reason", "\(error)")])
        }
      }
      guard (try? await runtime.sleep(for: jittered(pause))) != nil else { return }
      pause = min(pause * 2, Self.backOffMax)
    }
  }

  /// Connects to `node` as one who wants to join, up to the end of the TLS handshake.
  ///
  /// - Throws: `StreamError`, the last address's when a name has several; `CancellationError`.
  package nonisolated(nonsending) func dialToJoin(
    _ node: NodeID, at address: HostAndPort
  ) async throws -> TLSStream {
    let found = try await network.resolve(
      host: address.host, port: address.port, deadline: runtime.now + Self.roundMax)
    var failure: any Error = StreamError.unresolved(host: address.host, reason: "it has no address")
    for address in found.prefix(Self.addressesOfNameMax) {
      do {
        return try await handshake.dial(
          address, expecting: node, applicationProtocol: NodeTLS.joinerProtocol, over: network
        ).stream
      } catch let error as StreamError {
        failure = error
      }
    }
    throw failure
  }

  // MARK: Addresses

  /// An address to dial, and how it was written: as a name, perhaps.
  struct Candidate: Sendable {
    var asWritten: HostAndPort
    var resolved: SocketAddress
  }

  /// The addresses that candidates of `node` stand for now: names are looked up each time, beside each other.
  ///
  /// A name that the node says of itself may stand for anything, and for something else each time: it is judged here.
  private nonisolated(nonsending) func resolved(
    _ hosts: [HostAndPort], of node: NodeID
  ) async -> [Candidate] {
    let deadline = runtime.now + Self.roundMax
    return await withTaskGroup(of: (Int, [SocketAddress]).self) { group in
      for (index, host) in hosts.enumerated() {
        group.addTask { [network] in
          let found = try? await network.resolve(
            host: host.host, port: host.port, deadline: deadline)
          return (index, found ?? [])
        }
      }
      var found = [[SocketAddress]](repeating: [], count: hosts.count)
      for await (index, addresses) in group {
        let isName = SocketAddress(ip: hosts[index].host, port: hosts[index].port) == nil
        let isToJudge = isName && !self.addresses.isTold(hosts[index], of: node)
        let plausible = addresses.filter { !isToJudge || AddressRules.isPlausible($0) }
        found[index] = Array(plausible.prefix(Self.addressesOfNameMax))
      }
      var candidates: [Candidate] = []
      for (host, addresses) in zip(hosts, found) {
        for address in addresses where !candidates.contains(where: { $0.resolved == address }) {
          candidates.append(Candidate(asWritten: host, resolved: address))
        }
      }
      return candidates
    }
  }

  private enum RaceStep: Sendable {
    case secured(SecuredStream, Int)
    case failed(Int, String)
    case tick
  }

  /// The first of `candidates` at which the peer proves its key.
  private nonisolated(nonsending) func race(
    _ peer: Peer, _ candidates: [Candidate]
  ) async -> (SecuredStream, Candidate)? {
    guard !candidates.isEmpty else {
      peer.failed([])
      return nil
    }
    return await withTaskGroup(of: RaceStep.self) { group in
      var next = 0
      var underWay = 0
      var failures: [DialFailure] = []
      func tryNext() {
        guard next < candidates.count else { return }
        let index = next
        next += 1
        underWay += 1
        let address = candidates[index].resolved
        group.addTask { await self.attempt(address, index, peer) }
        group.addTask { [runtime] in
          try? await runtime.sleep(for: Self.stagger)
          return .tick
        }
      }
      tryNext()
      while underWay > 0 || next < candidates.count, let step = await group.next() {
        switch step {
        case .tick:
          // Somebody has connected to us meanwhile: no further address is needed.
          if peer.connection(.control) == nil { tryNext() }
        case .failed(let index, let reason):
          underWay -= 1
          failures.append(
            DialFailure(address: candidates[index].asWritten, reason: reason))
          if peer.connection(.control) == nil { tryNext() }
        case .secured(let secured, let index):
          group.cancelAll()
          while let late = await group.next() {
            if case .secured(let other, _) = late { other.stream.close() }
          }
          return (secured, candidates[index])
        }
        if underWay == 0, peer.connection(.control) != nil { break }
      }
      peer.failed(failures)
      return nil
    }
  }

  private nonisolated(nonsending) func attempt(
    _ address: SocketAddress, _ index: Int, _ peer: Peer
  ) async -> RaceStep {
    metrics.dials.add()
    do {
      return .secured(
        try await handshake.dial(
          address, expecting: peer.node, applicationProtocol: NodeTLS.memberProtocol,
          over: network), index)
    } catch {
      metrics.dialsFailed.add()
      return .failed(index, "\(error)")
    }
  }
}
