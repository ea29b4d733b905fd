// How a node gets a cluster of its own, and a cluster its first layout: with the founder's first invite or row.
//
// An invite founds the cluster and says nothing of who stores. The first row, wherever it belongs, is stored under a layout:
// if nobody has decided one by then it is the founder alone, which is decided by the transaction that stores the row.

import Base
import Layout
package import LocalDB
import Synchronization

/// A node that waits to join changes nothing.
package struct WaitsToJoin: Error, CustomStringConvertible, Sendable {
  package let reason: String

  package var description: String { "this node waits to join a cluster: \(reason)" }
}

/// A node that cannot store rows, as nobody has decided who does.
package struct NoLayout: Error, CustomStringConvertible, Sendable {
  package let description: String

  init(_ text: String) { description = text }
}

extension ClusterService {
  /// Makes sure, in the transaction that changes a row, that the node has a cluster, and the cluster a layout.
  ///
  /// - Throws: `WaitsToJoin` on a node that was given a token; `NoLayout` on one that cannot decide.
  package func willChangeRow(in transaction: WriteTransaction) throws {
    // Every change of a row asks.
    if newestLayout.load(ordering: .relaxed) > 0 { return }
    let identity = try ownCluster(in: transaction)
    guard identity.founder == own else {
      throw NoLayout(
        "nobody has decided yet who stores: see `grange layout show`, or make the first key or bucket on the node that "
          + "founded the cluster")
    }
    let cluster = state.withLock(\.cluster)
    if let cluster, !cluster.membership.contains(own) {
      throw NoLayout("this node is no member of its cluster any more")
    }
    let record = try LayoutRecord(
      signing: LayoutRecordBody(try firstLayout(identity, cluster), signer: own), with: key)
    try put(.layout(record), in: transaction)
    transaction.observeCommit(
      CommitObserver(didEnd: { [weak self] in self?.decidedAlone(record) }))
  }

  /// This node alone, with the role that it announces.
  private func firstLayout(
    _ identity: ClusterIdentity, _ cluster: ClusterState?
  ) throws -> LayoutVersion {
    guard let capacity = state.withLock(\.capacityBytes) else {
      throw NoLayout("this node does not know yet how much it can store")
    }
    var draft = LayoutDraft(cluster: identity.cluster, parameters: options.layoutParameters)
    // A full disk has a capacity of nothing, which no role has: what is stored is refused elsewhere.
    draft.assign(NodeRole(zone: zone(in: cluster), capacityBytes: max(1, capacity)), to: own)
    return try draft.apply(under: cluster?.membership.standing ?? [])
  }

  /// Makes sure, in a transaction, that the node has a cluster.
  ///
  /// - Throws: `WaitsToJoin` on a node that was given a token.
  package func foundIfFresh(in transaction: WriteTransaction) throws {
    _ = try ownCluster(in: transaction)
  }

  /// The node's cluster, which is founded if there is none.
  private func ownCluster(in transaction: WriteTransaction) throws -> ClusterIdentity {
    if let identity { return identity }
    if let identity = try store.identity(in: transaction) { return identity }
    if let joining = state.withLock({ $0.joining?.reason }) { throw WaitsToJoin(reason: joining) }
    let identity = ClusterIdentity(founding: own, random: runtime.random)
    let admission = try Admission(
      signing: AdmissionBody(
        cluster: identity.cluster, subject: own, signer: own, invite: .none,
        signed: runtime.wallNow), with: key)
    try store.found(identity, admission: admission, in: transaction)
    transaction.observeCommit(CommitObserver(didEnd: { [weak self] in self?.founded() }))
    return identity
  }

  /// Takes the cluster that a commit has made, if it was made.
  private func founded() {
    do {
      try load()
    } catch {
      logger.error("the new cluster cannot be read", [("error", "\(error)")])
    }
    memberChanged()
    runtime.spawn { [self] in await announce() }
  }

  /// Takes the layout that a commit has decided, if it was committed, and tells the others.
  private func decidedAlone(_ record: LayoutRecord) {
    guard newestLayout.load(ordering: .relaxed) > 0 else { return }
    state.withLock { state in
      // With the cluster, if that was founded with it.
      guard let cluster = state.cluster, cluster.currentLayout == nil else { return }
      state.cluster?.merge(record.bytes, now: runtime.wallNow)
    }
    noteHolding()
    tellLayoutObservers()
    spread([record.id], except: nil)
  }
}
