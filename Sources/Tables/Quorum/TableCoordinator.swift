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
    /// When a read asks the remaining replicas too, where the round trips are not known, and at the latest.
    ///
    /// Above a home connection's usual round trip.
    package var hedgeAfter: Duration = .milliseconds(500)
    /// When it does so at the earliest: three round trips, and a disk that is busy.
    package var hedgeAfterMin: Duration = .milliseconds(100)
    /// The most unanswered calls to one node; further ones fail at once.
    package var callsPerNodeMax = 1024

    /// Everything at its default.
    package init() {}
  }

  package let placement: any Placement
  package let clock: HybridClock
  let runtime: any Runtime
  private let options: Options
  /// Where the companions of requests are kept on this node; `nil` where there are none.
  private let local: LocalTableReplica?
  private let outstanding = Mutex<[NodeID: Int]>([:])
  private let hedging = HedgeBudget()
  let floors = KnownFloors()

  package init(
    placement: any Placement, clock: HybridClock, runtime: any Runtime,
    local: LocalTableReplica? = nil, options: Options = Options()
  ) {
    self.local = local
    self.placement = placement
    self.clock = clock
    self.runtime = runtime
    self.options = options
  }

  /// What is known of the layout when this node holds everything alone.
  @usableFromInline var sole: LayoutStamp? { placement.sole }

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
  /// - Parameter floors: For a repair: what was known of each replica's floor before the rows were read.
  /// - Throws: `StaleLayout` when it was not acknowledged, and a replica knows a newer layout; `TableError.unavailable`.
  ///   After either the write may still take effect.
  nonisolated(nonsending) func write(
    _ request: ReplicaRequest, to group: ReplicaGroup, floors: [NodeID: Timestamp] = [:]
  ) async throws -> WriteOutcome {
    // Nobody holds anything before there is a layout; without sets every write would have its quorums.
    guard !group.writeSets.isEmpty else { throw StaleLayout() }
    let deadline = runtime.now + options.timeout
    let mailbox = Mailbox<Event>()
    for replica in group.replicas {
      var request = request
      request.floor = floors[replica.node] ?? .zero
      send(request, to: replica, deadline, mailbox)
    }
    // Who is refused waits a little for the rest: only then can it be told that nothing was stored.
    let timers = [
      schedule(.deadline, at: deadline, mailbox),
      schedule(.hedge, at: min(deadline, runtime.now + options.hedgeAfter), mailbox),
    ]
    defer { for timer in timers { timer.cancel() } }

    var tally = WriteTally(group.writeSets)
    var isPatient = true
    var isStale = false
    while true {
      switch tally.verdict {
      case .decided(let outcome):
        if outcome.isAccepted || tally.isAccepted || !tally.isWaiting || !isPatient {
          if isStale, !outcome.isAccepted { throw StaleLayout(mayExist: tally.mayExist) }
          return outcome
        }
      case .unavailable:
        if isStale { throw StaleLayout(mayExist: tally.mayExist) }
        throw unavailable(request, tally.reason)
      case .open: break
      }
      switch await mailbox.take() {
      case .answered(let node, let result):
        if case .success(let response) = result, case .staleLayout = response.body {
          isStale = true
        }
        record(node, result, &tally)
      case .deadline:
        for set in group.writeSets {
          for node in set.nodes { tally.fail(node, "no answer in time", isSent: true) }
        }
      case .hedge: isPatient = false
      }
    }
  }

  private func record(
    _ node: NodeID, _ result: Result<ReplicaResponse, any Error>, _ tally: inout WriteTally
  ) {
    switch result {
    case .success(let response):
      switch response.body {
      case .answer(let answer) where response.countsInQuorum: tally.record(node, answer)
      case .answer(.accepted): tally.fail(node, "\(Unusable.lossy)", isSent: true)
      case .answer: tally.fail(node, "\(Unusable.lossy)", isSent: false)
      case .staleLayout(let newer):
        placement.layoutRefused(by: node, newer: newer)
        tally.fail(node, "\(Unusable.layout)", isSent: false)
      case .rows, .range: tally.fail(node, "an answer of another kind", isSent: true)
      }
    case .failure(let error):
      tally.fail(node, "\(error)", isSent: !(error is NotSent))
    }
  }

  /// Sends a write to every replica of `group` and returns all of their answers.
  ///
  /// - Throws: `TableError.unavailable` unless every one answered.
  nonisolated(nonsending) func writeToAll(
    _ request: ReplicaRequest, to group: ReplicaGroup
  ) async throws -> [(NodeID, ReplicaAnswer)] {
    guard !group.writeSets.isEmpty else { throw StaleLayout() }
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
          noteLayout(node, response)
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
    guard !group.writeSets.isEmpty else { throw StaleLayout() }
    let deadline = runtime.now + options.timeout
    let mailbox = Mailbox<Event>()
    var candidates = inOrder(group)[...]
    var pending: [NodeID] = []
    func ask(_ count: Int) {
      for replica in candidates.prefix(count) {
        pending.append(replica.node)
        send(request, to: replica, deadline, mailbox)
      }
      candidates = candidates.dropFirst(count)
    }
    ask(group.readQuorum)
    hedging.noteRead()
    let hedge = min(deadline, runtime.now + hedgeAfter(candidates.isEmpty ? [] : pending))
    let timers = [
      schedule(.deadline, at: deadline, mailbox), schedule(.hedge, at: hedge, mailbox),
    ]
    defer { for timer in timers { timer.cancel() } }

    var answers: [ReplicaResponse.Body] = []
    var reason = "too few nodes hold it"
    while answers.count < group.readQuorum {
      guard !pending.isEmpty else { throw unavailable(request, reason) }
      switch await mailbox.take() {
      case .answered(let node, let result):
        pending.removeAll { $0 == node }
        switch usable(node, result) {
        case .success(let body): answers.append(body)
        case .failure(let error):
          reason = "\(error)"
          ask(1)
        }
      case .hedge:
        hedging.suspect(pending)
        if !candidates.isEmpty, hedging.spend() { ask(candidates.count) }
      case .deadline: throw unavailable(request, "no answer in time")
      }
    }
    return answers
  }

  /// The replicas to read from: those that did not answer lately come last.
  private func inOrder(_ group: ReplicaGroup) -> [any TableReplica] {
    let suspects = hedging.suspects
    let order =
      suspects.isEmpty
      ? group.readNodes
      : group.readNodes.filter { !suspects.contains($0) }
        + group.readNodes.filter(suspects.contains)
    return order.compactMap { node in group.replicas.first { $0.node == node } }
  }

  private func hedgeAfter(_ nodes: [NodeID]) -> Duration {
    guard !nodes.isEmpty else { return options.hedgeAfter }
    var longest = Duration.zero
    for node in nodes {
      guard let trip = placement.roundTrip(to: node) else { return options.hedgeAfter }
      longest = max(longest, trip)
    }
    return min(max(longest * 3, options.hedgeAfterMin), options.hedgeAfter)
  }

  private func usable(
    _ node: NodeID, _ result: Result<ReplicaResponse, any Error>
  ) -> Result<ReplicaResponse.Body, any Error> {
    result.flatMap { response in
      noteLayout(node, response)
      if case .staleLayout = response.body { return .failure(Unusable.layout) }
      return response.countsInQuorum ? .success(response.body) : .failure(Unusable.lossy)
    }
  }

  private enum Unusable: Error, CustomStringConvertible {
    case layout, lossy

    var description: String {
      switch self {
      case .layout: "the layout has changed"
      case .lossy: "a node may have lost rows"
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
    guard isAllowed else {
      let busy = NotSent("a node has too many unanswered requests")
      return mailbox.put(.answered(node, .failure(busy)))
    }
    runtime.spawn { [self] in
      let result: Result<ReplicaResponse, any Error>
      do {
        let response = try await replica.perform(request, deadline: deadline)
        if let companion = request.companion, let newer = response.companion {
          try await local?.takeCompanion(newer, of: companion)
        }
        floors.note(response.floor, of: node, request.table, request.partition)
        hedging.trust(node)
        result = .success(response)
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

  private func noteLayout(_ node: NodeID, _ response: ReplicaResponse) {
    if case .staleLayout(let newer) = response.body {
      placement.layoutRefused(by: node, newer: newer)
    }
  }

  private func unavailable(_ request: ReplicaRequest, _ reason: String) -> TableError {
    .unavailable(table: request.table, partition: request.partition, reason: reason)
  }
}
