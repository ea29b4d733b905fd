// Which layout version a node works under.
//
// Writes are checked against its number inside of their transactions. There is one writer, so that a version that is
// recorded by one body is known to all bodies after it, in the same commit already: the number changes with the body that
// records the version, and goes back if that is undone. Everything else follows once the commit has ended.

import Base
package import Layout
import LocalDB
import Synchronization

/// A layout version was to be recorded, and one of its number or a later one is.
struct LayoutExists: Error {}

extension ClusterService {
  /// The number of the newest layout version, 0 for none.
  ///
  /// Inside of a write transaction it is that of the state that the transaction sees, never an older one. Outside it may
  /// be ahead of `layout`, and of what is durable, for as long as a commit takes.
  package var layoutNumber: UInt64 { newestLayout.load(ordering: .acquiring) }

  /// The newest layout version, durable and in memory; `nil` before there is one.
  package var layout: LayoutVersion? { state.withLock { $0.cluster?.currentLayout } }

  /// Calls `body` whenever `layout` has changed.
  ///
  /// It may be called on the writer's thread: it must be short and may not write. To be called before the node runs.
  package func onLayoutChange(_ body: @escaping @Sendable () -> Void) {
    state.withLock { $0.layoutObservers.append(body) }
  }

  /// Tells `observer` of everything from now on; to be called once, before the node runs.
  package func observe(_ observer: any ClusterObserver) {
    state.withLock { $0.observer = observer }
  }

  func tellLayoutObservers() {
    for observer in state.withLock(\.layoutObservers) { observer() }
    state.withLock(\.observer)?.clusterChanged()
  }

  /// Puts a record of any kind.
  ///
  /// - Throws: `LayoutExists` for a layout version that comes too late.
  func put(_ record: ClusterRecord, in transaction: WriteTransaction) throws {
    guard case .layout(let layout) = record else {
      return try store.put(record, in: transaction)
    }
    let number = layout.body.version.number
    guard try (store.layoutNumber(in: transaction) ?? 0) < number else { throw LayoutExists() }
    try store.put(record, in: transaction)
    try store.put(layoutNumber: number, in: transaction)
    let before = newestLayout.exchange(number, ordering: .acquiringAndReleasing)
    transaction.observeCommit(
      CommitObserver(
        wasUndone: { [weak self] in self?.newestLayout.store(before, ordering: .releasing) },
        didEnd: { [weak self] in self?.rereadLayoutNumber() }))
  }

  /// Takes the number that is durable, whatever came of a commit.
  private func rereadLayoutNumber() {
    do {
      newestLayout.store(try store.layoutNumber() ?? 0, ordering: .releasing)
    } catch {
      logger.error("the number of the layout cannot be read", [("error", "\(error)")])
    }
  }
}

extension MergeOutcome {
  var isLayoutConflict: Bool { if case .refused(.otherLayout) = self { true } else { false } }
}
