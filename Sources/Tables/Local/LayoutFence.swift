// What a replica demands of who asks it: that the asker knows the layout that the replica knows.
//
// A layout changes in a transaction of this node's database, as rows do, and there is one writer. So a write that is checked
// inside its transaction is ordered with the change: either it was stored under the layout before, and whoever reads under
// the new one hears of it, or it is refused and goes again to the nodes of the new one. That holds for the node's own
// writes too, also while it stores everything alone (a mutant: the local path unfenced).

import LocalDB

/// A write or a read whose sender does not know a replica's layout; that replica did nothing.
package struct StaleLayout: Error, Sendable {
  /// Of a write to several replicas: whether another one has stored it, or may have.
  package var mayExist = false
}

/// The newest layout version that this replica knows.
package struct LayoutFence: Sendable {
  private let newest: @Sendable () -> UInt64

  /// - Parameter newest: The number of the newest version, 0 before the first; it changes inside of the transaction
  ///   that records a version, ahead of every transaction that follows.
  package init(newest: @escaping @Sendable () -> UInt64) { self.newest = newest }

  /// Of a replica whose layout never changes.
  package static let none = LayoutFence { 0 }

  /// Refuses a sender who does not know what this replica knows.
  ///
  /// - Throws: `StaleLayout`.
  func check(_ stamp: LayoutStamp) throws {
    guard stamp.newestKnown >= newest() else { throw StaleLayout() }
  }
}
