import Base
import Glibc
import SimulatedWorld
import Testing

/// S3 clients over simulated nodes, everything that can happen to these, and what clients must have seen.
@Suite("Simulation of storage", .serialized)
struct StorageSimulationTests {
  /// What a seed came to.
  private struct Outcome: Equatable {
    var fingerprint: UInt64
    var tally: StorageTally
    /// Virtual time.
    var elapsed: Duration
  }

  /// Why a seed failed, with what had happened.
  private struct SeedFailure: Error, CustomStringConvertible {
    let description: String
  }

  private static func workloads(_ cluster: StorageCluster) -> [any StorageWorkload] {
    [
      RegisterWorkload(cluster), ListingWorkload(cluster), BucketWorkload(cluster),
      RightsWorkload(cluster), QuotaWorkload(cluster),
    ]
  }

  /// One node; a cluster of several is another formation, with its own invariants.
  private static func play(
    seed: UInt64, minutes: Int = 2, _ options: StorageCluster.Options = .init(),
    _ formation: @escaping StorageCluster.Formation = StorageCluster.founderStores
  ) throws -> Outcome {
    let world = SimulatedRuntime(seed: seed)
    defer { world.takeApart() }
    do {
      return try world.run {
        let cluster = StorageCluster(world, options)
        try await cluster.begin(formation)
        try await play(cluster, workloads(cluster), minutes: minutes)
        return Outcome(
          fingerprint: world.fingerprint, tally: cluster.tally, elapsed: world.elapsed)
      }
    } catch {
      throw SeedFailure(
        description: "seed \(seed), \(minutes) minutes: \(error)\n"
          + world.trace.suffix(traceLines).joined(separator: "\n"))
    }
  }

  /// How much of what happened is printed of a seed that failed: `GRANGE_SIM_TRACE` lines.
  private static var traceLines: Int { Int(number("GRANGE_SIM_TRACE", 80)) }

  /// Sets up, lets things happen, heals, and checks.
  private static func play(
    _ cluster: StorageCluster, _ workloads: [any StorageWorkload], minutes: Int
  ) async throws {
    let world = cluster.world
    for workload in workloads { try await workload.setUp() }
    for workload in workloads { workload.start() }
    let end = world.now + .seconds(60 * minutes)
    while world.now < end, cluster.members.failures.isEmpty {
      try await world.sleep(for: .milliseconds(500) + .milliseconds(cluster.random.below(5000)))
      cluster.event()
    }
    try await cluster.quiet()
    for workload in workloads { try await workload.check() }
    try await cluster.checkInvariants()
    if let failure = cluster.members.failures.first { throw SimulationFailure(failure) }
  }

  private static var processorSeconds: Double { Double(clock()) / Double(CLOCKS_PER_SEC) }

  @Test("clients see what is promised, whatever happened, and everything did happen")
  func fixedSeeds() throws {
    var tally = StorageTally()
    for seed: UInt64 in 1...8 { tally += try Self.play(seed: seed).tally }
    print(tally.text(nodeCount: 1))
    for (name, value) in tally.all(nodeCount: 1) { #expect(value > 0, "\(name) did not happen") }
  }

  /// The way from one node to several: members are there, and only the founder stores.
  @Test("a founder stores for a cluster of three")
  func threeMembers() throws {
    _ = try Self.play(seed: 1, minutes: 1, StorageCluster.Options(nodeCount: 3))
  }

  @Test(
    "clients of three storage nodes and a gateway see what is promised, and replicas become equal")
  func threeStore() throws {
    var tally = StorageTally()
    for seed: UInt64 in 1...8 {
      tally += try Self.play(seed: seed, .threeStore, StorageCluster.threeStore).tally
    }
    print(tally.text(nodeCount: 4))
    for (name, value) in tally.all(nodeCount: 4) { #expect(value > 0, "\(name) did not happen") }
  }

  @Test("a seed repeats itself exactly")
  func repeats() throws {
    #expect(try Self.play(seed: 2, minutes: 1) == Self.play(seed: 2, minutes: 1))
  }

  /// `scripts/simulate --workload storage`, with the variables of the members' campaign.
  @Test("a campaign", .enabled(if: getenv("GRANGE_SIM_SEEDS") != nil))
  func campaign() throws {
    let seeds = Self.number("GRANGE_SIM_SEEDS", 1)
    let first = Self.number("GRANGE_SIM_FIRST", 1)
    let minutes = Int(Self.number("GRANGE_SIM_MINUTES", 2))
    let isAlone = getenv("GRANGE_SIM_ALONE") != nil
    let options = isAlone ? StorageCluster.Options() : .threeStore
    let formation = isAlone ? StorageCluster.founderStores : StorageCluster.threeStore
    var tally = StorageTally()
    for seed in first..<(first + seeds) {
      let began = Self.processorSeconds
      let outcome = try Self.play(seed: seed, minutes: minutes, options, formation)
      tally += outcome.tally
      let cost = ((Self.processorSeconds - began) * 100).rounded() / 100
      let print = String(outcome.fingerprint, radix: 16)
      Self.say("seed \(seed) ok, fingerprint \(print), \(cost) s of processor")
    }
    Self.say("counters: \(tally.text(nodeCount: options.nodeCount))")
  }

  private static func number(_ name: String, _ otherwise: UInt64) -> UInt64 {
    getenv(name).flatMap { UInt64(String(cString: $0)) } ?? otherwise
  }

  /// A line that a script reads at once.
  private static func say(_ text: String) {
    print(text)
    fflush(nil)
  }
}
