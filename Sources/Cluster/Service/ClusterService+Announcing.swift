// What this node tells of itself: its name, its room, and where it may be reached.

import Base
import Codecs
import Synchronization
package import Mesh
import Reactor

extension ClusterService {
  /// How often the node looks whether its addresses are what it last said.
  private static let lookPause: Duration = .seconds(30)
  /// Where peers see this node come from: one for each family, mostly.
  private static let observedMax = 2

  /// Tells of every change, until the task is cancelled.
  func keepAnnouncing() async {
    while !Task.isCancelled {
      await announce()
      guard (try? await runtime.sleep(for: Self.lookPause)) != nil else { return }
    }
  }

  /// Tells the members what this node is, if that has changed.
  func announce() async {
    let (mesh, cluster, capacity) = state.withLock { ($0.mesh, $0.cluster, $0.capacityBytes) }
    guard let mesh, let cluster, cluster.membership.contains(own) else { return }
    let before = cluster.announcement(of: own)?.body
    var body = AnnouncementBody(
      cluster: cluster.cluster, node: own,
      sequence: max(
        UInt64(clamping: runtime.wallNow.milliseconds), (before?.sequence ?? 0) + 1))
    body.hostName = options.hostName
    body.zone = zone(in: cluster)
    body.capacityBytes = capacity
    body.program = options.program
    body.protocols = .own
    body.addresses = ownAddresses(mesh)
    if var before {
      before.sequence = body.sequence
      if before == body { return }
    }
    do {
      try await take([try Announcement(signing: body, with: key).bytes], from: nil)
    } catch {
      logger.warning("this node could not announce itself", [("error", "\(error)")])
    }
  }

  /// The zone that this node is in as far as it knows, fit for a role; `nil` stands for a cluster of its own.
  func zone(in cluster: ClusterState?) -> String {
    let zone =
      options.zone ?? cluster.flatMap(invitedZone)
      ?? cluster?.announcement(of: own)?.body.zone ?? options.hostName
    let fits = (1...RecordLimits.zoneBytesMax) ~= zone.utf8.count && zone.isLabel
    return fits ? zone : own.short
  }

  /// The zone that the invite names by which this node came in; `nil` for none.
  private func invitedZone(_ cluster: ClusterState) -> String? {
    for case .admission(let admission) in cluster.members where admission.body.subject == own {
      if let zone = cluster.invites(named: admission.body.invite).first?.body.zone { return zone }
    }
    return nil
  }

  /// Where this node may be reached, the best first.
  package func ownAddresses(_ mesh: NodeMesh) -> [CandidateAddress] {
    var found = options.publicAddresses.map { CandidateAddress(.configured, $0) }
    let port = mesh.localAddress.port ?? 0
    let bound = mesh.localAddress
    for interface in network.interfaces
    where AddressRules.isOfThisMachine(interface) && !interface.isTemporary {
      let address = interface.address.with(port: port)
      guard AddressRules.isPlausible(address), bound.isAny || bound.host == address.host,
        let peer = PeerAddress(address.description)
      else { continue }
      found.append(CandidateAddress(AddressRules.isPrivate(address) ? .lan : .public, peer))
    }
    for address in state.withLock(\.observed) {
      guard let peer = PeerAddress(address.with(port: port).description) else { continue }
      found.append(CandidateAddress(.observed, peer))
    }
    var unique: [CandidateAddress] = []
    for candidate in found where !unique.contains(where: { $0.address == candidate.address }) {
      unique.append(candidate)
    }
    return Array(unique.prefix(RecordLimits.addressesMax))
  }

  /// Notes where a peer sees this node come from; whether its port is open there shows when somebody dials it.
  func noteObserved(_ address: SocketAddress) {
    guard AddressRules.isPlausible(address), !AddressRules.isPrivate(address) else { return }
    let host = address.with(port: 0)
    let isNew = state.withLock { state in
      if state.observed.first == host { return false }
      state.observed.removeAll { $0 == host }
      state.observed.insert(host, at: 0)
      state.observed = Array(state.observed.prefix(Self.observedMax))
      return true
    }
    if isNew { runtime.spawn { [self] in await announce() } }
  }

  /// Where to dial a node that says this of itself, the best first: what is implausible is left out.
  ///
  /// Neighbours are tried in their own network first: two nodes that come from one public address share a router, which
  /// may not let them reach it from inside.
  func candidates(
    _ body: AnnouncementBody, beside own: AnnouncementBody?
  ) -> [HostAndPort] {
    let allowsLoopback = options.publicAddresses.contains { address in
      address.hostAndPort.flatMap { SocketAddress(ip: $0.host, port: $0.port) }?.isLoopback ?? false
    }
    let ownHosts = Set(
      (own?.addresses ?? []).filter { $0.kind != .lan }.compactMap { $0.address.hostAndPort?.host })
    let areNeighbours = body.addresses.contains { candidate in
      candidate.kind != .lan && ownHosts.contains(candidate.address.hostAndPort?.host ?? "")
    }
    func rank(_ kind: AddressKind) -> Int {
      if kind == .lan { return areNeighbours ? 0 : 9 }
      return Int(kind.rawValue)
    }
    let sorted = body.addresses.enumerated().sorted { left, right in
      (rank(left.element.kind), left.offset) < (rank(right.element.kind), right.offset)
    }
    return sorted.compactMap { _, candidate in
      guard let pair = candidate.address.hostAndPort else { return nil }
      // A name is looked up, and what it stands for judged, when it is dialled.
      guard let address = SocketAddress(ip: pair.host, port: pair.port) else { return pair }
      return AddressRules.isPlausible(address, loopback: allowsLoopback) ? pair : nil
    }
  }
}
