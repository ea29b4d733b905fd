import Base
import Glibc
import Reactor
import SimulatedWorld
import Synchronization
import Testing

@Suite("Simulated addresses")
struct SimulatedAddressTests {
  /// Notes by which addresses the peers of `host` are seen.
  private func noteVisitors(_ world: SimulatedRuntime, _ host: SimulatedHost) {
    host.start { host in
      let listener = try? host.network.listen(.ipv4(address: 0, port: 4000))
      await listener?.serve(limit: 10, logger: .disabled) { stream in
        world.note("\(host.name) sees \(stream.peerAddress?.host ?? "nobody")")
        _ = try? await read(stream)
      }
    }
  }

  private func sight(_ world: SimulatedRuntime) -> String? {
    world.trace.last.map { String($0.drop { $0 != " " }.dropFirst()) }
  }

  private func reaches(_ from: SimulatedHost, _ address: String, _ port: UInt16 = 4000) async throws
    -> Bool
  {
    let target = try #require(SocketAddress(ip: address, port: port))
    return try await from.run {
      let deadline = from.now + .seconds(2)
      return (try? await from.network.connect(to: target, deadline: deadline)) != nil
    }
  }

  @Test("lets what a host had open die silently when its address changes")
  func addressChange() throws {
    try SimulatedRuntime.withWorld(seed: 1) { world in
      let hosts = ["a", "b"].map { world.addHost($0) }
      hosts[1].start { host in try? await echo(on: host.network) }
      try await world.sleep(for: .milliseconds(1))
      let stream = try await hosts[0].run { try await connect(hosts[0], to: hosts[1]) }
      try await world.sleep(for: .seconds(1))
      world.net.changeAddress(of: hosts[1], to: "198.51.100.9")
      try await hosts[0].run {
        try await write([1], to: stream)
        await #expect(throws: StreamError.timedOut) {
          _ = try await read(stream, deadline: hosts[0].now + .seconds(600))
        }
      }
      #expect(try await !reaches(hosts[0], "203.0.113.2"))
      #expect(try await reaches(hosts[0], "198.51.100.9"))
      #expect(world.counters.addressChanges == 1)
    }
  }

  @Test("hides hosts behind a router, and shows its address to others")
  func router() throws {
    try SimulatedRuntime.withWorld(seed: 2) { world in
      let router = world.addRouter(address: "198.51.100.1")
      let outside = world.addHost("outside")
      let inside = world.addHost("inside", behind: router)
      let near = world.addHost("near", behind: router)
      for host in [outside, inside, near] { noteVisitors(world, host) }
      try await world.sleep(for: .milliseconds(1))
      #expect(try await reaches(inside, outside.addresses[0].host))
      try await world.sleep(for: .seconds(1))
      #expect(sight(world) == "outside sees 198.51.100.1")
      #expect(try await reaches(near, inside.addresses[0].host))
      try await world.sleep(for: .seconds(1))
      #expect(sight(world) == "inside sees \(near.addresses[0].host)")
      // Neither by its own address nor by the router's, unless a port is forwarded.
      #expect(try await !reaches(outside, inside.addresses[0].host))
      #expect(try await !reaches(outside, "198.51.100.1"))
      router.forward(port: 9000, to: inside.addresses[0].with(port: 4000))
      #expect(try await reaches(outside, "198.51.100.1", 9000))
      try await world.sleep(for: .seconds(1))
      #expect(sight(world) == "inside sees \(outside.addresses[0].host)")
      #expect(try await !reaches(near, "198.51.100.1", 9000))
      world.net.changeAddress(of: router, to: "198.51.100.2")
      #expect(try await !reaches(outside, "198.51.100.1", 9000))
      #expect(try await reaches(outside, "198.51.100.2", 9000))
    }
  }

  @Test("lets a host dial that cannot be dialled")
  func firewall() throws {
    try SimulatedRuntime.withWorld(seed: 3) { world in
      let hosts = ["a", "b"].map { world.addHost($0) }
      for host in hosts { noteVisitors(world, host) }
      try await world.sleep(for: .milliseconds(1))
      hosts[0].isDialable = false
      #expect(try await reaches(hosts[0], hosts[1].addresses[0].host))
      #expect(try await !reaches(hosts[1], hosts[0].addresses[0].host))
      #expect(try await reaches(hosts[0], hosts[0].addresses[0].host))
    }
  }

  @Test("keeps Unix sockets and loopback on their host, and a port for one listener")
  func listeners() throws {
    try SimulatedRuntime.withWorld(seed: 4) { world in
      let hosts = ["a", "b"].map { world.addHost($0) }
      hosts[0].start { host in
        let listener = try? host.network.listen(unixPath: "/run/x.sock", mode: 0o600)
        await listener?.serve(limit: 1, logger: .disabled) { stream in
          #expect(stream.peerAddress == nil && stream.peerDescription == "unix")
          try? await write([5], to: stream)
        }
      }
      noteVisitors(world, hosts[1])
      try await world.sleep(for: .milliseconds(1))
      let path = SocketAddress.unix(path: "/run/x.sock")
      try await hosts[0].run {
        let stream = try await hosts[0].network.connect(to: path, deadline: .distantFuture)
        #expect(try await read(stream) == [5])
        await #expect(throws: StreamError.disconnected(errno: ECONNREFUSED)) {
          _ = try await hosts[1].network.connect(to: path, deadline: .distantFuture)
        }
      }
      #expect(try await reaches(hosts[1], "127.0.0.1"))
      #expect(try await !reaches(hosts[0], "127.0.0.1"))
      let network = hosts[1].network
      #expect(throws: ListenError.self) {
        _ = try network.listen(.ipv4(address: 0x7F00_0001, port: 4000))
      }
      #expect(throws: ListenError.self) { _ = try network.listen(hosts[0].addresses[0]) }
      let free = try network.listen(.ipv4(address: 0, port: 0))
      #expect(try #require(free.localAddress.port) > 32_767)
      // A new life has all its ports, and a closed one is free.
      hosts[1].kill()
      hosts[1].start()
      try await world.sleep(for: .milliseconds(1))
      #expect(try await reaches(hosts[0], hosts[1].addresses[0].host))
    }
  }

  @Test("answers for names that change, fail, or take their time")
  func names() throws {
    try SimulatedRuntime.withWorld(seed: 5) { world in
      let host = world.addHost("a")
      world.net.names["n"] = SimulatedName(["203.0.113.9", "2001:db8::1"])
      func lookUp(_ name: String) async throws -> [String] {
        try await host.run {
          let deadline = host.now + .seconds(5)
          return try await host.network.resolve(host: name, port: 80, deadline: deadline)
        }.map { "\($0)" }
      }
      let first = try await lookUp("n")
      #expect(first == ["203.0.113.9:80", "[2001:db8::1]:80"])
      #expect(try await lookUp("192.0.2.1") == ["192.0.2.1:80"])
      world.net.names["n"]?.addresses = ["203.0.113.8"]
      #expect(try await lookUp("n") == ["203.0.113.8:80"])
      world.net.names["n"]?.failure = "Temporary failure in name resolution"
      await #expect(throws: StreamError.self) { _ = try await lookUp("n") }
      await #expect(throws: StreamError.self) { _ = try await lookUp("unknown") }
      world.net.names["n"] = SimulatedName(["203.0.113.8"], delay: .seconds(10) ... .seconds(10))
      await #expect(throws: StreamError.timedOut) { _ = try await lookUp("n") }
      #expect(world.counters.lookups == 5 && world.counters.failedLookups == 3)
    }
  }
}
