// How much more the nodes are asked because some are slow.
//
// A read that waits asks the remaining replicas too. If everything is slow because there is too much to do, asking more
// makes it worse: so the further questions are a tenth of all reads, and a few. Nodes that let a read wait are asked last
// until they answer something.

import Base
import Synchronization

/// The budget of a coordinator.
final class HedgeBudget: Sendable {
  private struct State {
    var credit = HedgeBudget.creditMax
    var suspects: Set<NodeID> = []
  }

  /// Of one further question.
  private static let price = 10
  /// A dozen further questions at once.
  private static let creditMax = 12 * price

  private let state = Mutex(State())

  /// Earns a tenth of a further question.
  func noteRead() { state.withLock { $0.credit = min($0.credit + 1, Self.creditMax) } }

  /// Takes a further question, if there is one left.
  func spend() -> Bool {
    state.withLock { state in
      guard state.credit >= Self.price else { return false }
      state.credit -= Self.price
      return true
    }
  }

  /// Notes that `nodes` let a read wait.
  func suspect(_ nodes: [NodeID]) {
    guard !nodes.isEmpty else { return }
    state.withLock { $0.suspects.formUnion(nodes) }
  }

  /// Notes an answer of `node`.
  func trust(_ node: NodeID) { state.withLock { _ = $0.suspects.remove(node) } }

  /// Who let a read wait and has not answered since.
  var suspects: Set<NodeID> { state.withLock(\.suspects) }
}
