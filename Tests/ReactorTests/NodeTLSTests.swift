import Base
import Reactor
import SimulatedWorld
import TestCertificates
import Testing

@Suite("TLS between nodes")
struct NodeTLSTests {
  private static let member = NodeTLS.memberProtocol
  private static let joiner = NodeTLS.joinerProtocol

  private static func node(_ number: UInt8) throws -> NodeTLS {
    try NodeTLS(seed: [UInt8](repeating: number, count: 32))
  }

  /// What became of both sides of one connection, and of what the acceptor was asked and read.
  private final class Outcome: @unchecked Sendable {
    // Safe because the simulated runtime has one thread.
    var acceptorError: (any Error)?
    var diallerError: (any Error)?
    var asked: [(key: [UInt8], applicationProtocol: String)] = []
    var acceptor: TLSStream?
    var received: [UInt8] = []
    /// What the runtime did, in short.
    var steps: UInt64 = 0
    var reason: String? {
      guard case StreamError.tls(let reason)? = acceptorError else { return nil }
      return reason
    }
  }

  private typealias Dial = @Sendable (SimulatedRuntime, SimulatedStream) async throws -> Void

  /// Has `node` accept, echo bytes until the end, and `dial` do what it does with the other end.
  private static func meet(
    seed: UInt64 = 1, _ node: NodeTLS, admitting key: [UInt8]?, dial: @escaping Dial
  ) throws -> Outcome {
    let runtime = SimulatedRuntime(seed: seed)
    let pipe = SimulatedPipe(runtime)
    return try runtime.run {
      let outcome = Outcome()
      let serving = runtime.spawn {
        do {
          let stream = try await node.accept(
            pipe.first,
            admits: {
              outcome.asked.append(($0, $1))
              return $0 == key
            }, deadline: runtime.now + .seconds(10))
          outcome.acceptor = stream
          while true {
            let bytes = try await read(stream, deadline: runtime.now + .seconds(10))
            if bytes.isEmpty { break }
            outcome.received += bytes
            try await write(bytes, to: stream, deadline: runtime.now + .seconds(10))
          }
        } catch {
          outcome.acceptorError = error
        }
        pipe.first.close()
      }
      do { try await dial(runtime, pipe.second) } catch { outcome.diallerError = error }
      pipe.second.close()
      await serving.value
      outcome.steps = runtime.fingerprint
      return outcome
    }
  }

  /// Dials as `node`, sends a byte and awaits it back.
  private static func dialling(
    _ node: NodeTLS, expecting key: [UInt8], _ applicationProtocol: String = member,
    then use: @escaping @Sendable (TLSStream) throws -> Void = { _ in }
  ) -> Dial {
    { runtime, end in
      let deadline = runtime.now + .seconds(10)
      let stream = try await node.connect(
        end, expecting: key, applicationProtocol: applicationProtocol, deadline: deadline)
      try await write([7], to: stream, deadline: deadline)
      #expect(try await read(stream, deadline: deadline) == [7])
      try use(stream)
      try await stream.finishWriting(deadline: deadline)
    }
  }

  @Test("shows each side the other's key, and the protocol", arguments: [member, joiner])
  func bothKeys(applicationProtocol: String) throws {
    let (server, client) = (try Self.node(1), try Self.node(2))
    for seed: UInt64 in 1...5 {
      let dial = Self.dialling(client, expecting: server.publicKey, applicationProtocol) { stream in
        #expect(stream.peerKey == server.publicKey)
        #expect(stream.applicationProtocol == applicationProtocol)
        #expect(stream.version == "TLSv1.3")
      }
      let outcome = try Self.meet(seed: seed, server, admitting: client.publicKey, dial: dial)
      #expect(outcome.diallerError == nil && outcome.acceptorError == nil, "seed \(seed)")
      #expect(outcome.acceptor?.peerKey == client.publicKey)
      #expect(outcome.acceptor?.applicationProtocol == applicationProtocol)
      #expect(outcome.asked.count == 1)
      #expect(outcome.asked.first?.key == client.publicKey)
      #expect(outcome.asked.first?.applicationProtocol == applicationProtocol)
    }
  }

  @Test("takes the same steps with the same seed, whatever OpenSSL draws")
  func replays() throws {
    let (server, client) = (try Self.node(1), try Self.node(2))
    let dial = Self.dialling(client, expecting: server.publicKey)
    for seed: UInt64 in 1...5 {
      let steps = try (0..<3).map { _ in
        try Self.meet(seed: seed, server, admitting: client.publicKey, dial: dial).steps
      }
      #expect(Set(steps).count == 1, "seed \(seed)")
    }
  }

  @Test("has the key that RFC 8032 gives to a seed, and takes only seeds")
  func publicKey() throws {
    // RFC 8032, section 7.1, test 1.
    let seed = Hex.decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    let key = Hex.decode("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    #expect(try NodeTLS(seed: try #require(seed)).publicKey == key)
    #expect(throws: TLSContextError.self) { try NodeTLS(seed: [1, 2, 3]) }
  }

  @Test("shows nothing of itself to a server with another key")
  func wrongServer() throws {
    let (impostor, client) = (try Self.node(3), try Self.node(2))
    let expected = try Self.node(1).publicKey
    let outcome = try Self.meet(
      impostor, admitting: client.publicKey, dial: Self.dialling(client, expecting: expected))
    #expect(
      outcome.diallerError as? StreamError
        == .tls(reason: "the peer's key is not the one expected"))
    #expect(outcome.asked.isEmpty, "the impostor saw the client's certificate")
    #expect(outcome.acceptorError != nil && outcome.received.isEmpty)
  }

  @Test("reads nothing from a client that is not admitted, which learns it at its first read")
  func unknownClient() throws {
    let (server, client) = (try Self.node(1), try Self.node(2))
    let other = try Self.node(3).publicKey
    for seed: UInt64 in 1...10 {
      let outcome = try Self.meet(seed: seed, server, admitting: other) { runtime, end in
        let deadline = runtime.now + .seconds(10)
        let stream = try await client.connect(
          end, expecting: server.publicKey, applicationProtocol: Self.member, deadline: deadline)
        #expect(stream.peerKey == server.publicKey)
        await #expect(throws: StreamError.tls(reason: "the peer refuses this node's key")) {
          _ = try await read(stream, deadline: deadline)
        }
      }
      #expect(outcome.reason == "the peer's key is not admitted", "seed \(seed)")
      #expect(outcome.received.isEmpty && outcome.acceptor == nil)
      #expect(outcome.diallerError == nil)
    }
  }

  @Test("reads nothing from a client that writes before it knows that it is refused")
  func writingClient() throws {
    let (server, client) = (try Self.node(1), try Self.node(2))
    let dial = Self.dialling(client, expecting: server.publicKey)
    for seed: UInt64 in 1...10 {
      let outcome = try Self.meet(seed: seed, server, admitting: nil, dial: dial)
      #expect(outcome.reason == "the peer's key is not admitted", "seed \(seed)")
      #expect(outcome.received.isEmpty)
      #expect(outcome.diallerError is StreamError)
    }
  }

  /// Dials with a client that is not ours.
  private static func dialling(_ client: TestTLSClient) -> Dial {
    { runtime, end in
      let deadline = runtime.now + .seconds(10)
      try await client.handshake(over: end, deadline: deadline)
      try await client.write(over: end, deadline: deadline)
      _ = try await client.read(over: end, deadline: deadline)
    }
  }

  /// What `node`, which would admit the key of `seed`, makes of a client that is not ours.
  private static func meet(
    _ node: NodeTLS, admittingSeed seed: [UInt8], _ client: TestTLSClient
  ) throws -> Outcome {
    try meet(node, admitting: try NodeTLS(seed: seed).publicKey, dial: dialling(client))
  }

  private static let seed = [UInt8](repeating: 2, count: 32)

  @Test("takes a client that is not ours and does it right")
  func otherClient() throws {
    let client = try TestTLSClient(.key(seed: Self.seed), protocols: [Self.joiner])
    let outcome = try Self.meet(try Self.node(1), admittingSeed: Self.seed, client)
    #expect(outcome.diallerError == nil && outcome.received == [1], "\(outcome.reason ?? "")")
  }

  @Test("refuses a client without a certificate, and one whose key is of another kind")
  func otherKinds() throws {
    let none = try TestTLSClient(.nothing, protocols: [Self.member])
    let outcome = try Self.meet(try Self.node(1), admittingSeed: Self.seed, none)
    #expect(outcome.acceptorError is StreamError && outcome.asked.isEmpty)
    for isRSA in [false, true] {
      let certificate = try TestCertificate("client", isRSA: isRSA)
      let client = try TestTLSClient(.files(certificate.files), protocols: [Self.member])
      let refused = try Self.meet(try Self.node(1), admittingSeed: Self.seed, client)
      #expect(refused.reason == "the peer's certificate has no Ed25519 key")
      #expect(refused.asked.isEmpty && refused.received.isEmpty)
    }
  }

  @Test("refuses a client that shows a key and has another")
  func stolenKey() throws {
    let member = try NodeTLS(seed: Self.seed).publicKey
    let thief = [UInt8](repeating: 9, count: 32)
    let client = try TestTLSClient(
      .stolen(publicKey: member, seed: thief), protocols: [Self.member])
    let outcome = try Self.meet(try Self.node(1), admittingSeed: Self.seed, client)
    #expect(outcome.asked.first?.key == member)
    #expect(outcome.reason?.contains("signature") == true, "\(outcome.reason ?? "no reason")")
    #expect(outcome.received.isEmpty && outcome.acceptor == nil)
  }

  @Test("refuses more than one certificate")
  func chain() throws {
    let client = try TestTLSClient(.chain(seed: Self.seed), protocols: [Self.member])
    let outcome = try Self.meet(try Self.node(1), admittingSeed: Self.seed, client)
    #expect(outcome.reason == "the peer shows more than one certificate")
  }

  @Test("refuses TLS 1.2, other protocols, and none")
  func otherProtocols() throws {
    let clients = [
      try TestTLSClient(.key(seed: Self.seed), protocols: [Self.member], isTLS12: true),
      try TestTLSClient(.key(seed: Self.seed), protocols: ["http/1.1", "grange/12"]),
      try TestTLSClient(.key(seed: Self.seed), protocols: []),
    ]
    for client in clients {
      let outcome = try Self.meet(try Self.node(1), admittingSeed: Self.seed, client)
      #expect(outcome.acceptorError is StreamError && outcome.diallerError != nil)
      #expect(outcome.asked.isEmpty && outcome.received.isEmpty)
    }
  }

  @Test("does not speak with a server that does not know the protocol")
  func protocolMismatch() throws {
    let server = try NodeTLS(
      seed: [UInt8](repeating: 1, count: 32), applicationProtocols: [Self.joiner])
    let client = try Self.node(2)
    let outcome = try Self.meet(
      server, admitting: client.publicKey,
      dial: Self.dialling(client, expecting: server.publicKey, Self.member))
    #expect(outcome.diallerError is StreamError && outcome.asked.isEmpty)
  }

  @Test("lets nobody resume a connection")
  func noResumption() throws {
    let session = Kept()
    let client = try TestTLSClient(.key(seed: Self.seed), protocols: [Self.member])
    let first = try Self.meet(
      try Self.node(1), admitting: try NodeTLS(seed: Self.seed).publicKey
    ) { runtime, end in
      try await Self.dialling(client)(runtime, end)
      session.value = client.session
    }
    #expect(first.diallerError == nil)
    #expect(try #require(session.value).isResumable == false)
    // And whoever tries all the same is asked for the key.
    let again = try TestTLSClient(
      .key(seed: Self.seed), protocols: [Self.member], resuming: session.value)
    let second = try Self.meet(try Self.node(1), admittingSeed: Self.seed, again)
    #expect(second.asked.count == 1, "nobody was asked for the key")
  }

  private final class Kept: @unchecked Sendable {
    // Safe because the simulated runtime has one thread.
    var value: TestTLSClient.Session?
  }

  @Test("exports the same bytes on both sides, and others for each connection, label and context")
  func exporters() throws {
    let (server, client) = (try Self.node(1), try Self.node(2))
    var seen: [[UInt8]] = []
    for seed: UInt64 in 1...2 {
      let exported = Exported()
      let dial = Self.dialling(client, expecting: server.publicKey) { stream in
        exported.values = try exports(stream)
      }
      let outcome = try Self.meet(seed: seed, server, admitting: client.publicKey, dial: dial)
      #expect(try exports(try #require(outcome.acceptor)) == exported.values)
      seen += exported.values
    }
    #expect(seen.count == 8 && Set(seen).count == 8)
    #expect(seen.allSatisfy { $0.count == 32 })
  }

  private final class Exported: @unchecked Sendable {
    // Safe because the simulated runtime has one thread.
    var values: [[UInt8]] = []
  }

  @Test("works over sockets, of which little waits in the kernel")
  func sockets() async throws {
    let (server, client) = (try Self.node(1), try Self.node(2))
    try await onLoops(2) { group in
      let listener = try Listener.tcp(host: "127.0.0.1", port: 0)
      let serving = group.spawn {
        await listener.serve(on: group, limit: 100) { socket in
          guard
            let stream = try? await server.accept(
              socket, admits: { key, _ in key == client.publicKey }, deadline: soon())
          else { return }
          stream.limitUnsent(toBytes: 64 * 1024)
          while let bytes = try? await read(stream), !bytes.isEmpty {
            try? await write(bytes, to: stream)
          }
        }
      }
      let socket = try await SocketStream.connect(to: listener.localAddress, deadline: soon())
      let stream = try await client.connect(
        socket, expecting: server.publicKey, applicationProtocol: Self.member, deadline: soon())
      stream.limitUnsent(toBytes: 64 * 1024)
      for size in [1, 30_000, 200_000] {
        let message = pattern(size, seed: size)
        try await write(message, to: stream)
        #expect(try await read(stream, exactly: size) == message)
      }
      stream.close()
      listener.close()
      await serving.value
    }
  }
}

private func exports(_ stream: TLSStream) throws -> [[UInt8]] {
  try [("a", []), ("b", []), ("a", [1]), ("a", [1, 2])].map { label, context in
    try stream.exportKeyingMaterial(label: label, context: context, count: 32)
  }
}
