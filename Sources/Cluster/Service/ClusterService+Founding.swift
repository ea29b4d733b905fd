// How a node gets a cluster of its own: with its first change.

import Base
import Synchronization
import Crypto
package import LocalDB

/// A node that waits to join changes nothing.
package struct WaitsToJoin: Error, CustomStringConvertible, Sendable {
  package let reason: String

  package var description: String { "this node waits to join a cluster: \(reason)" }
}

extension ClusterService {
  /// Makes sure, in the transaction of a change, that the node has a cluster.
  ///
  /// - Throws: `WaitsToJoin` on a node that was given a token.
  package func foundIfFresh(in transaction: WriteTransaction) throws {
    // Every change of a row asks.
    if state.withLock({ $0.identity != nil }) { return }
    guard try !store.hasIdentity(in: transaction) else { return }
    if let joining = state.withLock({ $0.joining?.reason }) { throw WaitsToJoin(reason: joining) }
    let identity = ClusterIdentity(founding: own, random: runtime.random)
    let admission = try Admission(
      signing: AdmissionBody(
        cluster: identity.cluster, subject: own, signer: own, invite: .none,
        signed: runtime.wallNow), with: key)
    try store.found(identity, admission: admission, in: transaction)
    transaction.observeCommit(CommitObserver(didEnd: { [weak self] in self?.founded() }))
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
}
