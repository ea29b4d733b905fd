import Base
import Codecs
import Mesh
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

  /// A founder and nodes that joined by one token of `uses`, all connected.
  private static func cluster(
    _ world: SimulatedRuntime, _ count: Int, uses: Int
  ) async throws -> (SimulatedMembers, [SimulatedNode], token: String) {
    let members = SimulatedMembers(world)
    members.addFounder()
    members.founder.start()
    try await world.sleep(for: .seconds(1))
    var token = try #require(await members.invite(on: members.founder, uses: uses))
    for _ in 0..<count {
      let node = members.addNode(isPlain: true)
      node.token = token
      node.start()
      try await world.sleep(for: .seconds(5))
    }
    // A later one names who is there now.
    if uses > count { token = try #require(await members.invite(on: members.founder, uses: uses)) }
    return (members, members.nodes, token)
  }

  private static func ids(_ nodes: [SimulatedNode]) -> [NodeID] { nodes.compactMap(\.id).sorted() }

  @Test("a member that nobody hears cannot leave, and can once it is heard")
  func leaving() throws {
    try SimulatedRuntime.withWorld(seed: 1) { world in
      let (members, nodes, _) = try await Self.cluster(world, 1, uses: 1)
      world.net.isolate(nodes[1].host)
      try await world.sleep(for: .seconds(12))
      #expect(try await nodes[1].admin("POST", "/v2/LeaveCluster").status == 409)
      #expect(nodes[1].isMember)
      world.net.heal()
      try await world.sleep(for: .seconds(90))
      let answer = try await nodes[1].admin("POST", "/v2/LeaveCluster")
      #expect(answer.status == 200, "\(answer.body.serialize())")
      try await world.sleep(for: .seconds(1))
      #expect(!nodes[1].isMember && members.founder.members == Self.ids([nodes[0]]))
    }
  }

  /// The second was expelled, and has not heard of it when it expels the third: nobody else knows what that one knows.
  @Test("a member that an expelled one expelled is a member again once it hears better")
  func expelledByTheExpelled() throws {
    try SimulatedRuntime.withWorld(seed: 1) { world in
      let (members, nodes, _) = try await Self.cluster(world, 2, uses: 2)
      let (founder, expelled, friend) = (nodes[0], nodes[1], nodes[2])
      members.partition([founder], [expelled, friend])
      try await world.sleep(for: .seconds(12))
      for (signer, subject) in [(founder, expelled), (expelled, friend)] {
        let id = try #require(subject.id)
        let answer = try await signer.admin("POST", "/v2/RemoveNode?node=\(id.hex)&certain=true")
        #expect(answer.status == 200, "\(answer.body.serialize())")
      }
      try await world.sleep(for: .seconds(2))
      #expect(!friend.isMember && expelled.isMember)
      world.net.heal()
      try await world.sleep(for: .seconds(150))
      #expect(friend.isMember && !expelled.isMember)
      #expect(founder.members == Self.ids([founder, friend]) && friend.members == founder.members)
    }
  }

  /// The second lets the third in and leaves; of both only the third knows.
  @Test("who was let in by a member that left at once is a member, and says that it left")
  func letInByOneThatLeft() throws {
    try SimulatedRuntime.withWorld(seed: 1) { world in
      let (members, nodes, token) = try await Self.cluster(world, 1, uses: 2)
      let (founder, host) = (nodes[0], nodes[1])
      let guest = members.addNode(isPlain: true)
      members.partition([founder], [host, guest])
      guest.token = token
      guest.start()
      // The founder's addresses are tried first, in vain.
      try await world.sleep(for: .seconds(45))
      #expect(guest.isMember)
      #expect(try await host.admin("POST", "/v2/LeaveCluster").status == 200)
      host.kill()
      #expect(founder.members == Self.ids([founder, host]))
      world.net.heal()
      try await world.sleep(for: .seconds(150))
      #expect(founder.members == Self.ids([founder, guest]) && guest.members == founder.members)
      #expect(founder.isConnected(to: guest))
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
