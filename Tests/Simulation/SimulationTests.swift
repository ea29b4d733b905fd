import Base
import Codecs
import Glibc
import SimulatedWorld
import Testing

/// The program that users run, several of it, and everything that can happen between them.
@Suite("Simulation", .serialized)
struct SimulationTests {
  /// What a seed came to.
  private struct Outcome: Equatable {
    var fingerprint: UInt64
    var tally: Tally
    /// Virtual time.
    var elapsed: Duration
  }

  /// Why a seed failed, with what had happened.
  private struct SeedFailure: Error, CustomStringConvertible {
    let description: String
  }

  private static func play(seed: UInt64, minutes: Int = 2) throws -> Outcome {
    let world = SimulatedRuntime(seed: seed)
    defer { world.takeApart() }
    let members = SimulatedMembers(world)
    do {
      return try world.run {
        try await members.begin()
        let end = world.now + .seconds(60 * minutes)
        while world.now < end, members.failures.isEmpty {
          try await members.event()
          try await world.sleep(
            for: .milliseconds(500) + .milliseconds(members.random.below(6000)))
        }
        try await members.finish()
        members.tally.world = world.counters
        let outcome = Outcome(
          fingerprint: world.fingerprint, tally: members.tally, elapsed: world.elapsed)
        // What is free on the disks is in it, so that it is no part of the fingerprint.
        try await members.checkStatus()
        return outcome
      }
    } catch {
      throw SeedFailure(
        description: "seed \(seed), \(minutes) minutes: \(error)\n"
          + world.trace.suffix(80).joined(separator: "\n"))
    }
  }

  private static var processorSeconds: Double { Double(clock()) / Double(CLOCKS_PER_SEC) }

  @Test("members agree, whatever happened, and everything did happen")
  func fixedSeeds() throws {
    var tally = Tally()
    for seed: UInt64 in 1...16 { tally += try Self.play(seed: seed).tally }
    print(tally.text)
    for (name, value) in tally.all { #expect(value > 0, "\(name) did not happen") }
  }

  @Test("a member that nobody hears cannot leave, and can once it is heard")
  func leaving() throws {
    try SimulatedRuntime.withWorld(seed: 1) { world in
      let members = SimulatedMembers(world)
      members.addFounder()
      members.founder.start()
      try await world.sleep(for: .seconds(1))
      let token = try #require(await members.invite(on: members.founder, uses: 1))
      let node = members.addNode(isPlain: true)
      node.token = token
      node.start()
      try await world.sleep(for: .seconds(10))
      world.net.isolate(node.host)
      try await world.sleep(for: .seconds(12))
      #expect(try await node.admin("POST", "/v2/LeaveCluster").status == 409)
      #expect(node.isMember)
      world.net.heal()
      try await world.sleep(for: .seconds(90))
      let answer = try await node.admin("POST", "/v2/LeaveCluster")
      #expect(answer.status == 200, "\(answer.body.serialize())")
      try await world.sleep(for: .seconds(1))
      #expect(!node.isMember && members.founder.members == [members.founder.id])
    }
  }

  /// E was expelled, and has not heard of it when it expels B: nobody else knows what B knows.
  @Test("a member that an expelled one expelled is a member again once it hears better")
  func expelledByTheExpelled() throws {
    try SimulatedRuntime.withWorld(seed: 1) { world in
      let members = SimulatedMembers(world)
      members.addFounder()
      members.founder.start()
      try await world.sleep(for: .seconds(1))
      let token = try #require(await members.invite(on: members.founder, uses: 2))
      let (expelled, friend) = (
        members.addNode(isPlain: true), members.addNode(isPlain: true)
      )
      for node in [expelled, friend] {
        node.token = token
        node.start()
      }
      try await world.sleep(for: .seconds(10))
      members.partition([members.founder], [expelled, friend])
      try await world.sleep(for: .seconds(12))
      for (signer, subject) in [(members.founder, expelled), (expelled, friend)] {
        let id = try #require(subject.id)
        let answer = try await signer.admin("POST", "/v2/RemoveNode?node=\(id.hex)&certain=true")
        #expect(answer.status == 200, "\(answer.body.serialize())")
      }
      try await world.sleep(for: .seconds(2))
      #expect(!friend.isMember && expelled.isMember)
      world.net.heal()
      try await world.sleep(for: .seconds(90))
      #expect(friend.isMember && !expelled.isMember)
      let ids = [members.founder, friend].compactMap(\.id).sorted()
      #expect(members.founder.members == ids && friend.members == ids)
    }
  }

  @Test("a seed repeats itself exactly")
  func repeats() throws {
    #expect(try Self.play(seed: 2, minutes: 1) == Self.play(seed: 2, minutes: 1))
  }

  /// `scripts/simulate`: `GRANGE_SIM_SEEDS` seeds from `GRANGE_SIM_FIRST`, `GRANGE_SIM_MINUTES` of events each.
  @Test("a campaign", .enabled(if: getenv("GRANGE_SIM_SEEDS") != nil))
  func campaign() throws {
    let seeds = Self.number("GRANGE_SIM_SEEDS", 1)
    let first = Self.number("GRANGE_SIM_FIRST", 1)
    let minutes = Int(Self.number("GRANGE_SIM_MINUTES", 2))
    var tally = Tally()
    for seed in first..<(first + seeds) {
      let began = Self.processorSeconds
      let outcome = try Self.play(seed: seed, minutes: minutes)
      tally += outcome.tally
      let cost = ((Self.processorSeconds - began) * 100).rounded() / 100
      let print = String(outcome.fingerprint, radix: 16)
      Self.say("seed \(seed) ok, fingerprint \(print), \(cost) s of processor")
    }
    Self.say("counters: \(tally.text)")
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
