// Feeds of replicas behind a network that delays and may be cut, with nothing of Mesh in between.

package import Base
package import SimulatedWorld
package import Synchronization
package import Tables

/// Asks other nodes' feeds as one node does.
package final class DirectFeedNetwork: FeedNetwork {
  /// What was asked, and how often.
  package struct Asked: Equatable, Sendable {
    package var heads = 0
    package var feeds = 0
    package var rows = 0
    package var fingerprints = 0

    package var total: Int { heads + feeds + rows + fingerprints }
  }

  /// A step of a question, at which a test may stop it or change something.
  package enum Step: Sendable {
    case heads(HeadsRequest)
    /// A feed's answer is there, and not yet merged.
    case feed(FeedAnswer)
    /// Rows are there, and not yet merged.
    case rows(RowsAnswer)
  }

  package let isCut = Atomic(false)
  /// Called when an answer has arrived; what it throws is what the question throws.
  package let didAnswer = Mutex<(@Sendable (NodeID, Step) async throws -> Void)?>(nil)
  private let node: NodeID
  private let world: SimulatedRuntime
  private let delay: ClosedRange<Duration>
  private let sources = Mutex<[NodeID: FeedSource]>([:])
  private let counts = Mutex(Asked())

  /// - Parameters:
  ///   - node: Who asks.
  ///   - delay: How long a question travels, and its answer.
  package init(_ node: NodeID, _ world: SimulatedRuntime, delay: ClosedRange<Duration>) {
    self.node = node
    self.world = world
    self.delay = delay
  }

  /// Makes the feed of `node` known, in the place of the one before: a restart.
  package func connect(_ source: FeedSource, of node: NodeID) {
    sources.withLock { $0[node] = source }
  }

  /// What was asked so far.
  package var asked: Asked { counts.withLock { $0 } }

  private nonisolated(nonsending) func travel() async throws {
    if isCut.load(ordering: .relaxed) { throw NotReached() }
    try await world.sleep(for: world.worldRandom.duration(in: delay))
    if isCut.load(ordering: .relaxed) { throw NotReached() }
  }

  private nonisolated(nonsending) func ask<Answer>(
    _ node: NodeID, _ answer: (FeedSource) throws -> Answer
  ) async throws -> Answer {
    try await travel()
    guard let source = sources.withLock({ $0[node] }) else { throw NotReached() }
    let result = try answer(source)
    try await travel()
    return result
  }

  private nonisolated(nonsending) func arrived(_ step: Step, from node: NodeID) async throws {
    if let hook = didAnswer.withLock({ $0 }) { try await hook(node, step) }
  }

  package nonisolated(nonsending) func heads(
    _ request: HeadsRequest, of node: NodeID
  ) async throws -> HeadsAnswer {
    counts.withLock { $0.heads += 1 }
    let answer = try await ask(node) { $0.heads(request, from: self.node) }
    try await arrived(.heads(request), from: node)
    return answer
  }

  package nonisolated(nonsending) func feed(
    _ request: FeedRequest, of node: NodeID
  ) async throws -> FeedAnswer {
    counts.withLock { $0.feeds += 1 }
    let answer = try await ask(node) { try $0.feed(request, from: self.node) }
    try await arrived(.feed(answer), from: node)
    return answer
  }

  package nonisolated(nonsending) func rows(
    _ request: RowsRequest, of node: NodeID
  ) async throws -> RowsAnswer {
    counts.withLock { $0.rows += 1 }
    let answer = try await ask(node) { try $0.rows(request) }
    try await arrived(.rows(answer), from: node)
    return answer
  }

  package nonisolated(nonsending) func fingerprints(
    _ request: FingerprintRequest, of node: NodeID
  ) async throws -> FingerprintAnswer {
    counts.withLock { $0.fingerprints += 1 }
    return try await ask(node) { try $0.fingerprints(request) }
  }
}
