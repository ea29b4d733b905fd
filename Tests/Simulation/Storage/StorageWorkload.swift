// What clients do to a cluster, and what they must have seen: one file a workload, each with the parts that
// FoundationDB's workloads have. All of them run at once, beside the events of StorageEvents.swift.

import Base
import SimulatedWorld

/// A workload.
///
/// It draws from a random source of its own, so that another one beside it changes nothing that it chooses.
protocol StorageWorkload: AnyObject, Sendable {
  /// Makes what it needs, while all is well.
  ///
  /// - Throws: `SimulationFailure`.
  func setUp() async throws

  /// Starts clients by `StorageCluster.client`, which end once `cluster.isEnding`.
  func start()

  /// Reads everything back and checks what was seen; all is healed, and every client has ended.
  ///
  /// - Throws: `SimulationFailure`.
  func check() async throws
}

extension StorageCluster {
  /// The random source of the workload `name`, another one in each seed.
  func random(of name: StaticString) -> SeededRandom {
    let mark = name.withUTF8Buffer { $0.reduce(UInt64(7)) { ($0 &* 31) ^ UInt64($1) } }
    return SeededRandom(seed: world.seed &* 0x9E37_79B9 ^ mark &* 0xBF58_476D_1CE4_E5B9)
  }

  /// Lets a client do `step` again and again until the end, with a pause after each.
  func client(
    _ name: String, _ random: SeededRandom, step: @escaping @Sendable () async throws -> Void
  ) {
    members.beside("\(name) begins") { [self] in
      while !isEnding, members.failures.isEmpty {
        try await step()
        try await world.sleep(for: random.duration(in: Self.pause))
      }
    }
  }

  /// How long a client thinks: some hundred requests a client in two minutes, of which several meet on a slow disk.
  private static let pause: ClosedRange<Duration> = .milliseconds(20) ... .milliseconds(600)

  /// Does a request and notes it, with its place in the order of all.
  ///
  /// An outcome that is unknown ends never.
  func observe<Value>(
    _ what: String, _ request: () async -> S3Outcome<Value>
  ) async -> (outcome: S3Outcome<Value>, span: Span) {
    let start = nextMoment()
    let outcome = await request()
    let end = nextMoment()
    world.note("[\(start), \(end)] \(what): \(outcome.text)")
    switch outcome {
    case .done: break
    case .unknown: tally.count(.unknownChanges)
    case .refused(let refusal):
      tally.count(refusal.code == S3Refusal.notDialled ? .notDialled : .refused)
    }
    return (outcome, Span(start, outcome.ending == .unknown ? .max : end))
  }

  /// Asks until there is an answer: while all is well, or after all was healed.
  ///
  /// - Throws: `SimulationFailure` after two minutes.
  func insist<Value>(
    _ what: String, _ request: () async -> S3Outcome<Value>
  ) async throws -> Value {
    let end = world.now + .seconds(120)
    while true {
      let outcome = await request()
      if let value = outcome.value { return value }
      guard world.now < end else {
        throw SimulationFailure("\(what), and all is well: \(outcome.text)")
      }
      try await world.sleep(for: .seconds(1))
    }
  }

  /// Makes a bucket; one that is there already was made by a request of which nobody knew.
  func make(_ bucket: String, _ client: SimulatedS3Client) async throws {
    try await insist("no bucket is made") { [nodes] in
      let outcome = await client.createBucket(bucket, on: nodes[0])
      return outcome.code == "BucketAlreadyOwnedByYou" ? .done(()) : outcome
    }
  }
}
