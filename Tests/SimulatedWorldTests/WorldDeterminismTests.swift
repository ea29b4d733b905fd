import Base
import Glibc
import LocalDB
import Reactor
import SimulatedWorld
import Testing

@Suite("World")
struct WorldDeterminismTests {
  @Test("repeats a seed exactly, and plays another one differently")
  func repeats() throws {
    var fingerprints: Set<UInt64> = []
    var counters = WorldCounters()
    for seed: UInt64 in 1...4 {
      let first = try BusyWorld.play(seed: seed)
      let second = try BusyWorld.play(seed: seed)
      #expect(first == second, "seed \(seed)")
      fingerprints.insert(first.fingerprint)
      counters += first.counters
    }
    #expect(fingerprints.count == 4)
    for (name, value) in counters.all where name != "failedLookups" {
      #expect(value > 0, "\(name) did not happen")
    }
  }

  @Test("repeats a seed in another process")
  func repeatsElsewhere() async throws {
    let result = await #expect(
      processExitsWith: .success, observing: [\.standardOutputContent]
    ) {
      let text = try BusyWorld.play(seed: 42).text
      let line = Array("<<\(text)>>\n".utf8)
      _ = Glibc.write(1, line, line.count)
    }
    let output = String(decoding: try #require(result).standardOutputContent, as: UTF8.self)
    let here = try BusyWorld.play(seed: 42).text
    #expect(output.contains("<<\(here)>>"), "\(output)")
  }

  @Test("adds up what happened in several worlds")
  func counters() {
    var sum = WorldCounters()
    sum.kills = 1
    var other = WorldCounters()
    other.kills = 2
    other.bytes = 3
    sum += other
    #expect(sum.kills == 3 && sum.bytes == 3)
    #expect(sum.description.split(separator: "\n").contains("kills 3"))
    #expect(sum.all.count == Mirror(reflecting: sum).children.count)
  }
}

/// Five hosts that dial, write and die for some minutes.
enum BusyWorld {
  struct Outcome: Equatable {
    var fingerprint: UInt64
    var steps: Int
    var counters: WorldCounters
    var text: String { "\(fingerprint) \(steps) \(counters)" }
  }

  static func play(seed: UInt64, minutes: Int = 3) throws -> Outcome {
    try SimulatedRuntime.withWorld(seed: seed) { world in
      let router = world.addRouter(address: "198.51.100.1")
      world.net.defaultLink.meanLifetime = .seconds(10)
      for name in ["a", "b", "c", "d"] { world.addHost(name) }
      world.addHost("e", behind: router)
      for host in world.hosts { host.start { await live($0, in: world) } }
      world.hosts[0].uplinkBytesPerSecond = 1_000_000
      world.hosts[1].downlinkBytesPerSecond = 1_000_000
      world.net.names["a"] = SimulatedName([world.hosts[0].addresses[0].host])
      while world.elapsed < .seconds(60 * minutes) {
        try await world.sleep(for: world.worldRandom.duration(in: .zero ... .seconds(6)))
        disturb(world)
      }
      return Outcome(
        fingerprint: world.fingerprint, steps: world.steps, counters: world.counters)
    }
  }

  private static func live(_ host: SimulatedHost, in world: SimulatedRuntime) async {
    do {
      let database = try LocalDatabase.open(host.databaseOptions(), random: host.random)
      let tree = try database.tree("t")
      host.spawn { try? await echo(on: host.network) }
      for _ in 0..<2 {
        host.spawn {
          while true {
            try? await converse(host, in: world)
            try? await database.write {
              try $0.put(tree, [UInt8(host.random.below(100))], [1, 2, 3])
            }
            try? await host.sleep(
              for: .milliseconds(100 + host.random.below(1000)))
          }
        }
      }
    } catch { world.note("\(host.name): \(error)") }
  }

  private static func converse(_ host: SimulatedHost, in world: SimulatedRuntime) async throws {
    let deadline = host.now + .seconds(5)
    var target = world.hosts[host.random.below(4)].addresses[0].with(port: 4000)
    if host.random.below(10) == 0 {
      target = try await host.network.resolve(host: "a", port: 4000, deadline: deadline)[0]
    }
    let stream = try await host.network.connect(to: target, deadline: deadline)
    defer { stream.close() }
    let bytes = [UInt8](repeating: 1, count: 1 + host.random.below(20_000))
    try await write(bytes, to: stream, deadline: deadline)
    var count = 0
    while count < bytes.count {
      let piece = try await read(stream, deadline: deadline)
      if piece.isEmpty { break }
      count += piece.count
    }
    world.note("\(host.name) got \(count) bytes")
  }

  private static func disturb(_ world: SimulatedRuntime) {
    let net = world.net
    let random = world.worldRandom
    let host = world.hosts[random.below(5)]
    let other = world.hosts[random.below(5)]
    switch random.below(9) {
    case 0: net.cut(from: host, to: other)
    case 1: net.partition([host], world.hosts.filter { $0 !== host })
    case 2, 3: net.heal()
    case 4: host.kill()
    case 5: host.cutPower()
    case 6: host.stepClock(by: .seconds(random.below(100) - 50))
    case 7 where host.router == nil:
      net.changeAddress(of: host, to: "203.0.113.\(10 + random.below(200))")
    default: break
    }
    for host in world.hosts where host.state != .running && random.below(3) == 0 {
      if random.below(3) == 0 { host.rollBack(to: host.copyFolder()) }
      host.start()
    }
  }
}
