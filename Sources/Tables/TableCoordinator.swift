// Asking replicas: all of them to write, the nearest ones to read.
//
// A call to a replica is a task of its own, so that a coordinator can leave with its quorum while the last
// replica still works. Such late calls end by the deadline that they carry, and there is a limit on
// how many one node may hold up: a node that hangs must not collect everyone's memory.

package import Base
import Synchronization

/// Carries the requests of all tables of this node.
public final class TableCoordinator: Sendable {
  /// Times and limits.
  package struct Options: Sendable {
    /// How long a request may take in all.
    ///
    /// Longer than a disk needs to spin up.
    package var timeout: Duration = .seconds(10)
    /// When a read asks the remaining replicas too.
    ///
    /// Above a home connection's usual round trip.
    package var hedgeAfter: Duration = .milliseconds(500)
    /// The most unanswered calls to one node; further ones fail at once.
    package var callsPerNodeMax = 1024

    /// Everything at its default.
    package init() {}
  }

  package let placement: any Placement
  package let clock: HybridClock
  let runtime: any Runtime
  private let options: Options
  private let outstanding = Mutex<[NodeID: Int]>([:])

  package init(
    placement: any Placement, clock: HybridClock, runtime: any Runtime,
    options: Options = Options()
  ) {
    self.placement = placement
    self.clock = clock
    self.runtime = runtime
    self.options = options
  }

  /// Whether this node holds everything alone.
  @usableFromInline
  var isSole: Bool { placement.isSole }

  /// How many calls have not been answered, late ones included.
  package var outstandingCalls: Int { outstanding.withLock { $0.values.reduce(0, +) } }

  private enum Event: Sendable {
    case answered(NodeID, Result<ReplicaResponse, any Error>)
    case hedge
    case deadline
  }

  // MARK: Writing

  /// Sends a write to every replica of `group` and returns once its outcome is certain.
  ///
  /// - Throws: `TableError.unavailable`; the write may still take effect.
  nonisolated(nonsending) func write(
    _ request: ReplicaRequest, to group: ReplicaGroup
  ) async throws -> WriteOutcome {
    let deadline = runtime.now + options.timeout
    let mailbox = Mailbox<Event>()
    let writers = group.replicas.filter { replica in
      group.writeSets.contains { $0.nodes.contains(replica.node) }
    }
    for replica in writers { send(request, to: replica, deadline, mailbox) }
    let timer = schedule(.deadline, at: deadline, mailbox)
    defer { timer.cancel() }

    var tally = WriteTally(group.writeSets)
    while true {
      switch tally.verdict {
      case .decided(let outcome): return outcome
      case .unavailable: throw unavailable(request, tally.reason)
      case .open: break
      }
      switch await mailbox.take() {
      case .answered(let node, let result): record(node, result, &tally)
      case .deadline:
        for set in group.writeSets {
          for node in set.nodes { tally.record(node, nil, failure: "no answer in time") }
        }
      case .hedge: break
      }
    }
  }

  private func record(
    _ node: NodeID, _ result: Result<ReplicaResponse, any Error>, _ tally: inout WriteTally
  ) {
    switch result {
    case .success(let response):
      guard case .answer(let answer) = response.body else {
        noteLayout(response)
        return tally.record(node, nil, failure: "an answer of another kind")
      }
      if response.countsInQuorum {
        tally.record(node, answer)
      } else {
        tally.record(node, nil, failure: "a node is not in sync yet")
      }
    case .failure(let error): tally.record(node, nil, failure: "\(error)")
    }
  }

  /// Sends a write to every replica of `group` and returns all of their answers.
  ///
  /// - Throws: `TableError.unavailable` unless every one answered.
  nonisolated(nonsending) func writeToAll(
    _ request: ReplicaRequest, to group: ReplicaGroup
  ) async throws -> [(NodeID, ReplicaAnswer)] {
    let deadline = runtime.now + options.timeout
    let mailbox = Mailbox<Event>()
    for replica in group.replicas { send(request, to: replica, deadline, mailbox) }
    let timer = schedule(.deadline, at: deadline, mailbox)
    defer { timer.cancel() }

    var answers: [(NodeID, ReplicaAnswer)] = []
    while answers.count < group.replicas.count {
      switch await mailbox.take() {
      case .answered(let node, .success(let response)):
        guard case .answer(let answer) = response.body else {
          noteLayout(response)
          throw unavailable(request, "an answer of another kind")
        }
        answers.append((node, answer))
      case .answered(_, .failure(let error)): throw unavailable(request, "\(error)")
      case .deadline: throw unavailable(request, "no answer in time")
      case .hedge: break
      }
    }
    return answers.sorted { $0.0 < $1.0 }
  }

  // MARK: Reading

  /// Asks the nearest replicas, and further ones when those fail or are slow, until a read quorum
  /// has answered.
  nonisolated(nonsending) func read(
    _ request: ReplicaRequest, from group: ReplicaGroup
  ) async throws -> [ReplicaResponse.Body] {
    let deadline = runtime.now + options.timeout
    let mailbox = Mailbox<Event>()
    var candidates = group.readNodes.compactMap { node in
      group.replicas.first { $0.node == node }
    }[...]
    var pending = 0
    func ask(_ count: Int) {
      for replica in candidates.prefix(count) { send(request, to: replica, deadline, mailbox) }
      pending += min(count, candidates.count)
      candidates = candidates.dropFirst(count)
    }
    ask(group.readQuorum)
    let timers = [
      schedule(.deadline, at: deadline, mailbox),
      schedule(.hedge, at: min(deadline, runtime.now + options.hedgeAfter), mailbox),
    ]
    defer { for timer in timers { timer.cancel() } }

    var answers: [ReplicaResponse.Body] = []
    var reason = "too few nodes hold it"
    while answers.count < group.readQuorum {
      guard pending > 0 else { throw unavailable(request, reason) }
      switch await mailbox.take() {
      case .answered(_, let result):
        pending -= 1
        switch usable(result) {
        case .success(let body): answers.append(body)
        case .failure(let error):
          reason = "\(error)"
          ask(1)
        }
      case .hedge: ask(candidates.count)
      case .deadline: throw unavailable(request, "no answer in time")
      }
    }
    return answers
  }

  private func usable(
    _ result: Result<ReplicaResponse, any Error>
  ) -> Result<ReplicaResponse.Body, any Error> {
    result.flatMap { response in
      noteLayout(response)
      if case .staleLayout = response.body { return .failure(Unusable.layout) }
      return response.countsInQuorum ? .success(response.body) : .failure(Unusable.learning)
    }
  }

  private enum Unusable: Error, CustomStringConvertible {
    case layout, learning, busy

    var description: String {
      switch self {
      case .layout: "the layout has changed"
      case .learning: "a node is not in sync yet"
      case .busy: "a node has too many unanswered requests"
      }
    }
  }

  // MARK: Calls

  private func send(
    _ request: ReplicaRequest, to replica: any TableReplica, _ deadline: MonotonicInstant,
    _ mailbox: Mailbox<Event>
  ) {
    let node = replica.node
    let isAllowed = outstanding.withLock { outstanding in
      guard outstanding[node, default: 0] < options.callsPerNodeMax else { return false }
      outstanding[node, default: 0] += 1
      return true
    }
    guard isAllowed else { return mailbox.put(.answered(node, .failure(Unusable.busy))) }
    runtime.spawn { [self] in
      let result: Result<ReplicaResponse, any Error>
      do {
        result = .success(try await replica.perform(request, deadline: deadline))
      } catch {
        result = .failure(error)
      }
      outstanding.withLock { outstanding in
        let left = outstanding[node, default: 1] - 1
        outstanding[node] = left > 0 ? left : nil
      }
      mailbox.put(.answered(node, result))
    }
  }

  private func schedule(
    _ event: Event, at deadline: MonotonicInstant, _ mailbox: Mailbox<Event>
  ) -> Task<Void, Never> {
    let runtime = runtime
    return runtime.spawn {
      do {
        try await runtime.sleep(until: deadline)
        mailbox.put(event)
      } catch {
        // Cancelled: the answer came first.
      }
    }
  }

  private func noteLayout(_ response: ReplicaResponse) {
    if case .staleLayout(let newer) = response.body { placement.layoutRefused(newer: newer) }
  }

  private func unavailable(_ request: ReplicaRequest, _ reason: String) -> TableError {
    .unavailable(table: request.table, partition: request.partition, reason: reason)
  }
}
