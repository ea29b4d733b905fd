import Base
import LocalDB
import Reactor
import SimulatedWorld
import Testing

/// How a test of a cluster looks: three hosts, of which one is cut off, and another dies and comes back.
@Suite("Three hosts")
struct ThreeHostsTests {
  /// What runs on a host in each of its lives: counts its starts, and tells everybody who asks.
  private static func program(_ host: SimulatedHost) async {
    do {
      let database = try LocalDatabase.open(host.databaseOptions(), random: host.random)
      let tree = try database.tree("lives")
      let lives = try await database.write { transaction in
        let lives = (try transaction.get(tree, [0])?.first ?? 0) + 1
        try transaction.put(tree, [0], [lives])
        return lives
      }
      let listener = try host.network.listen(.ipv4(address: 0, port: 3901))
      await listener.serve(limit: 100, logger: .disabled) { stream in
        try? await write([lives], to: stream, deadline: host.now + .seconds(5))
      }
    } catch { host.world.note("\(host.name): \(error)") }
  }

  /// What `host` says to `from`; `nil` when it does not answer within 5 s.
  private static func ask(_ from: SimulatedHost, _ host: SimulatedHost) async -> UInt8? {
    let deadline = from.now + .seconds(5)
    return try? await from.run {
      let stream = try await connect(from, to: host, port: 3901, deadline: deadline)
      defer { stream.close() }
      return try await read(stream, deadline: deadline).first
    }
  }

  @Test(
    "answer each other, but for those that are cut off or dead",
    arguments: 1...10 as ClosedRange<UInt64>)
  func threeHosts(seed: UInt64) throws {
    try SimulatedRuntime.withWorld(seed: seed) { world in
      let (a, b, c) = (world.addHost("a"), world.addHost("b"), world.addHost("c"))
      for host in world.hosts { host.start(Self.program) }
      try await world.sleep(for: .seconds(1))
      #expect(await Self.ask(a, b) == 1)

      world.net.partition([a, b], [c])
      #expect(await Self.ask(a, b) == 1)
      #expect(await Self.ask(a, c) == nil)

      b.kill()
      #expect(await Self.ask(a, b) == nil)
      world.net.heal()
      b.start()
      try await world.sleep(for: .seconds(1))
      #expect(await Self.ask(a, b) == 2)
      #expect(await Self.ask(c, a) == 1)
      #expect(world.counters.kills == 1 && world.counters.cuts == 4, "\(world.counters)")
    }
  }
}
