// Counting the replicas' answers to a write.
//
// A pure state machine: answers in, a verdict out. While a layout changes there are several write sets, and
// the write needs the quorum of each within that set: a majority of the union would do for none of them.

import Base

/// The answers to one write so far.
struct WriteTally {
  /// What a replica contributed.
  private enum Vote {
    case accepted, stale, refused
    /// No answer that counts; the write may be there all the same.
    case failed
    /// The request never left.
    case notSent
  }

  private let sets: [ReplicaGroup.WriteSet]
  private var votes: [NodeID: Vote] = [:]
  private var payloads: [[UInt8]] = []
  private var newest = Timestamp.zero
  private var refusal: (code: UInt16, payload: [UInt8])?
  private var failures: [String] = []

  init(_ sets: [ReplicaGroup.WriteSet]) { self.sets = sets }

  /// Counts `answer` of `node`.
  mutating func record(_ node: NodeID, _ answer: ReplicaAnswer) {
    guard votes[node] == nil else { return }
    switch answer {
    case .accepted(let payload):
      votes[node] = .accepted
      payloads.append(payload)
    case .stale(let timestamp):
      votes[node] = .stale
      newest = max(newest, timestamp)
    case .refused(let code, let payload):
      votes[node] = .refused
      refusal = refusal ?? (code, payload)
    }
  }

  /// Notes that no answer of `node` will count, and why.
  ///
  /// - Parameter isSent: Whether the replica may have stored the write.
  mutating func fail(_ node: NodeID, _ reason: String, isSent: Bool) {
    guard votes[node] == nil else { return }
    votes[node] = isSent ? .failed : .notSent
    failures.append(reason)
  }

  /// What is known about the whole.
  enum Verdict: Equatable {
    /// More answers are needed.
    case open
    case decided(WriteOutcome)
    /// The quorum cannot be reached.
    case unavailable
  }

  /// The verdict on the answers so far.
  ///
  /// Accepted as soon as every set has its quorum. Otherwise open while that can still happen. Otherwise
  /// stale if a retry above the newest timestamp could be accepted, then refused, then unavailable.
  var verdict: Verdict {
    if sets.allSatisfy({ count($0, [.accepted]) >= $0.quorum }) {
      return .decided(.accepted(payloads))
    }
    if sets.allSatisfy({ count($0, [.accepted]) + outstanding($0) >= $0.quorum }) { return .open }
    let retryCouldWin = sets.allSatisfy {
      count($0, [.accepted, .stale]) + outstanding($0) >= $0.quorum
    }
    if retryCouldWin { return .decided(.stale(newest, mayExist: mayExist)) }
    if let refusal {
      return .decided(
        .refused(code: refusal.code, payload: refusal.payload, mayExist: mayExist))
    }
    return .unavailable
  }

  /// Whether a replica has stored the write, or may have.
  var mayExist: Bool {
    isAccepted || sets.contains { $0.nodes.contains { votes[$0] == .failed } } || isWaiting
  }

  /// Whether a replica has accepted.
  var isAccepted: Bool { votes.values.contains(.accepted) }

  /// Whether there are answers to come.
  var isWaiting: Bool { sets.contains { outstanding($0) > 0 } }

  /// Why replicas did not answer, for the operator.
  var reason: String { failures.isEmpty ? "no answer in time" : failures.joined(separator: "; ") }

  private func count(_ set: ReplicaGroup.WriteSet, _ wanted: Set<Vote>) -> Int {
    set.nodes.count { node in votes[node].map(wanted.contains) ?? false }
  }

  private func outstanding(_ set: ReplicaGroup.WriteSet) -> Int {
    set.nodes.count { votes[$0] == nil }
  }
}
