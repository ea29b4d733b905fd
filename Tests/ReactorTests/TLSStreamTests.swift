import Base
import Glibc
import Reactor
import SimulatedWorld
import TestCertificates
import Testing

@Suite("TLS stream")
struct TLSStreamTests {
  /// An authority, and a server for `localhost` that it vouches for.
  private final class World: Sendable {
    let authority: TestCertificate
    let certificate: TestCertificate
    let server: TLSContext

    init() throws {
      authority = try TestCertificate("authority")
      certificate = try TestCertificate(
        "server", names: "DNS:localhost,IP:127.0.0.1", issuer: authority)
      server = try .server(
        .init(certificate: certificate.certificateFile, key: certificate.keyFile))
    }

    var client: TLSContext {
      get throws { try .client(authorities: .file(authority.certificateFile)) }
    }
  }

  /// What became of both sides of a handshake, and of what came after on the client's side.
  private static func meet(
    seed: UInt64, server: TLSContext, client: TLSContext, name: String,
    then use: @escaping @Sendable (SimulatedRuntime, TLSStream) async throws -> Void = { _, _ in }
  ) throws -> (server: (any Error)?, client: (any Error)?) {
    let runtime = SimulatedRuntime(seed: seed)
    var options = SimulatedPipeOptions()
    options.capacityBytes = 10_000
    let pipe = SimulatedPipe(runtime, options: options)
    return try runtime.run {
      let failure = Failure()
      let serving = runtime.spawn {
        do {
          let stream = try await TLSStream.accept(
            pipe.first, context: server, deadline: runtime.now + .seconds(10))
          try await echo(runtime, stream)
        } catch {
          failure.error = error
          pipe.first.close()
        }
      }
      var clientError: (any Error)?
      do {
        let stream = try await TLSStream.connect(
          pipe.second, context: client, serverName: name, deadline: runtime.now + .seconds(10))
        try await use(runtime, stream)
        try await stream.finishWriting(deadline: runtime.now + .seconds(10))
        #expect(try await readAll(stream, deadline: runtime.now + .seconds(10)).isEmpty)
      } catch {
        clientError = error
      }
      pipe.second.close()
      await serving.value
      return (failure.error, clientError)
    }
  }

  private final class Failure: @unchecked Sendable {
    // Safe because the simulated runtime has one thread.
    var error: (any Error)?
  }

  private static nonisolated(nonsending) func echo(
    _ runtime: SimulatedRuntime, _ stream: TLSStream
  ) async throws {
    while true {
      let bytes = try await read(stream, limit: 5000, deadline: runtime.now + .seconds(60))
      if bytes.isEmpty { break }
      try await write(bytes, to: stream, deadline: runtime.now + .seconds(60))
    }
    try await stream.finishWriting(deadline: runtime.now + .seconds(60))
  }

  @Test("carries bytes both ways, however the network cuts and delays them")
  func roundTrip() throws {
    let world = try World()
    for seed: UInt64 in 1...5 {
      let outcome = try Self.meet(
        seed: seed, server: world.server, client: try world.client, name: "localhost"
      ) { runtime, stream in
        #expect(stream.version == "TLSv1.3")
        #expect(stream.applicationProtocol == "http/1.1")
        for size in [1, 1000, 16_384, 16_385, 200_000] {
          let message = pattern(size, seed: Int(seed))
          let both = Shared(stream)
          let writer = runtime.spawn {
            try? await write(message, to: both.stream, deadline: runtime.now + .seconds(60))
          }
          let answer = try await read(stream, exactly: size, deadline: runtime.now + .seconds(60))
          #expect(answer == message, "seed \(seed), \(size) bytes")
          await writer.value
        }
      }
      #expect(outcome.server == nil && outcome.client == nil, "seed \(seed): \(outcome)")
    }
  }

  private final class Shared: @unchecked Sendable {
    // Safe because the simulated runtime has one thread.
    let stream: TLSStream
    init(_ stream: TLSStream) { self.stream = stream }
  }

  @Test("is refused by a client that trusts another authority")
  func wrongAuthority() throws {
    let world = try World()
    let other = try TestCertificate("other")
    let client = try TLSContext.client(authorities: .file(other.certificateFile))
    let outcome = try Self.meet(seed: 1, server: world.server, client: client, name: "localhost")
    guard case StreamError.tls(let reason)? = outcome.client else {
      Issue.record("\(outcome)")
      return
    }
    #expect(reason.contains("certificate is refused"))
    guard case StreamError.tls? = outcome.server else {
      Issue.record("the server saw \(outcome)")
      return
    }
  }

  @Test(
    "is refused by a client that expects another name or address",
    arguments: [
      "example.org", "127.0.0.2", "local", "", "sub.localhost", ".", "localhost\0.example.org",
    ])
  func wrongName(name: String) throws {
    let world = try World()
    let outcome = try Self.meet(
      seed: 2, server: world.server, client: try world.client, name: name)
    guard case StreamError.tls? = outcome.client else {
      Issue.record("\(outcome)")
      return
    }
  }

  @Test("takes an address that the certificate names")
  func address() throws {
    let world = try World()
    let outcome = try Self.meet(
      seed: 3, server: world.server, client: try world.client, name: "127.0.0.1")
    #expect(outcome.client == nil && outcome.server == nil, "\(outcome)")
  }

  @Test("believes anyone only when told to")
  func unverified() throws {
    let world = try World()
    let client = try TLSContext.client(authorities: .unverified)
    let outcome = try Self.meet(seed: 4, server: world.server, client: client, name: "whoever")
    #expect(outcome.client == nil, "\(outcome)")
    let system = try TLSContext.client()
    let refused = try Self.meet(seed: 4, server: world.server, client: system, name: "localhost")
    #expect(refused.client != nil)
  }

  @Test("takes new certificates for new connections, and leaves those that exist alone")
  func reload() throws {
    let world = try World()
    let client = try world.client
    let renewed = try TestCertificate(
      "renewed", names: "DNS:renewed", issuer: world.authority)
    let outcome = try Self.meet(seed: 5, server: world.server, client: client, name: "localhost") {
      runtime, stream in
      renewed.replaceFiles(of: world.certificate)
      try world.server.reload()
      try await write([1, 2, 3], to: stream, deadline: runtime.now + .seconds(5))
      let answer = try await read(stream, exactly: 3, deadline: runtime.now + .seconds(5))
      #expect(answer == [1, 2, 3])
    }
    #expect(outcome.client == nil, "\(outcome)")
    let old = try Self.meet(seed: 5, server: world.server, client: client, name: "localhost")
    #expect(old.client != nil)
    let new = try Self.meet(seed: 5, server: world.server, client: client, name: "renewed")
    #expect(new.client == nil, "\(new)")
  }

  @Test("keeps its certificates when the new ones cannot be read")
  func failedReload() throws {
    let world = try World()
    unlink(world.certificate.keyFile)
    #expect {
      try world.server.reload()
    } throws: { error in
      "\(error)".contains(world.certificate.keyFile)
    }
    let outcome = try Self.meet(
      seed: 6, server: world.server, client: try world.client, name: "localhost")
    #expect(outcome.client == nil, "\(outcome)")
    #expect(throws: TLSContextError.self) {
      try TLSContext.server(.init(certificate: world.certificate.keyFile, key: "/nowhere"))
    }
  }

  @Test("refuses a key that belongs to another certificate")
  func wrongKey() throws {
    let world = try World()
    #expect(throws: TLSContextError.self) {
      try TLSContext.server(
        .init(certificate: world.certificate.certificateFile, key: world.authority.keyFile))
    }
  }

  @Test("tells the end from a connection that breaks off")
  func truncated() throws {
    let world = try World()
    let outcome = try Self.meet(
      seed: 7, server: world.server, client: try world.client, name: "localhost"
    ) { runtime, stream in
      try await write([1], to: stream, deadline: runtime.now + .seconds(5))
      _ = try await read(stream, deadline: runtime.now + .seconds(5))
      // No close_notify: the server cannot know whether bytes are missing.
      stream.close()
    }
    #expect(outcome.server as? StreamError == .disconnected(errno: 0), "\(outcome)")
  }

  @Test("fails on bytes that are not TLS, and says so")
  func garbage() throws {
    let world = try World()
    for seed: UInt64 in 1...20 {
      let runtime = SimulatedRuntime(seed: seed)
      let pipe = SimulatedPipe(runtime)
      try runtime.run {
        let junk =
          seed % 2 == 0
          ? Array("GET / HTTP/1.1\r\n\r\n".utf8) : runtime.worldRandom.bytes(600)
        try await write(junk, to: pipe.second, deadline: .distantFuture)
        await #expect(throws: (any Error).self, "seed \(seed)") {
          _ = try await TLSStream.accept(
            pipe.first, context: world.server, deadline: runtime.now + .seconds(10))
        }
      }
    }
  }

  @Test("gives up a handshake at its deadline")
  func handshakeDeadline() throws {
    let world = try World()
    let runtime = SimulatedRuntime(seed: 8)
    let pipe = SimulatedPipe(runtime)
    try runtime.run {
      await #expect(throws: StreamError.timedOut) {
        _ = try await TLSStream.accept(
          pipe.first, context: world.server, deadline: runtime.now + .seconds(10))
      }
    }
    #expect(runtime.elapsed == .seconds(10))
  }

  @Test("works over sockets, with many connections on two loops")
  func sockets() async throws {
    let world = try World()
    let client = try world.client
    try await onLoops(2) { group in
      let listener = try Listener.tcp(host: "127.0.0.1", port: 0)
      let serving = group.spawn {
        await listener.serve(on: group, limit: 100) { socket in
          guard
            let stream = try? await TLSStream.accept(
              socket, context: world.server, deadline: soon())
          else { return }
          while let bytes = try? await read(stream), !bytes.isEmpty {
            try? await write(bytes, to: stream)
          }
        }
      }
      await withTaskGroup(of: Void.self) { clients in
        for number in 0..<20 {
          clients.addTask(executorPreference: group.loops[number % 2]) {
            do {
              let socket = try await SocketStream.connect(
                to: listener.localAddress, deadline: soon())
              let stream = try await TLSStream.connect(
                socket, context: client, serverName: "127.0.0.1", deadline: soon())
              for round in 0..<20 {
                let message = pattern(1 + (number * 7919 + round * 104_729) % 40_000, seed: round)
                try await write(message, to: stream)
                #expect(try await read(stream, exactly: message.count) == message)
              }
              stream.close()
            } catch {
              Issue.record("client \(number): \(error)")
            }
          }
        }
      }
      listener.close()
      await serving.value
    }
  }
}
