// Server and client over TLS, each with what it trusts.

import Base
import HTTP
import Reactor
import SimulatedWorld
import Testing
import TestCertificates

@Suite struct HTTPTLSTests {
  /// An authority, a server for `localhost` that it vouches for, and another authority.
  private struct World {
    let authority: TestCertificate
    let other: TestCertificate
    let certificate: TestCertificate

    init() throws {
      authority = try TestCertificate("authority")
      other = try TestCertificate("other")
      certificate = try TestCertificate("server", names: "DNS:localhost", issuer: authority)
    }

    func server(clientAuthorities: TestCertificate? = nil) throws -> TLSContext {
      try .server(certificate.files, clientAuthorities: clientAuthorities?.certificateFile)
    }

    func client(
      trusting: TestCertificate? = nil, certificate: TestCertificate? = nil
    ) throws -> TLSContext {
      try .client(
        authorities: .file((trusting ?? authority).certificateFile), certificate: certificate?.files
      )
    }
  }

  /// The answer to a request; its failure, when there is none.
  private func ask(
    _ server: TLSContext, _ client: TLSContext, host: String = "localhost", bodyBytes: Int = 10
  ) throws -> Result<String, any Error> {
    let runtime = SimulatedRuntime(seed: 1)
    let http = SimulatedServer(runtime) { try await echo($0) }
    var options = HTTPClient.Options()
    options.lane = { 0 }
    let asking = HTTPClient(options: options, runtime: runtime) { endpoint, deadline in
      guard case .tls(let host, _) = endpoint else { throw HTTPError.closed }
      let pipe = SimulatedPipe(runtime)
      runtime.spawn {
        let stream = try? await TLSStream.accept(
          pipe.second, context: server, deadline: .distantFuture)
        if let stream { await http.server.serve(stream, isTLS: true) }
      }
      return try await TLSStream.connect(
        pipe.first, context: client, serverName: host, deadline: deadline)
    }
    return try runtime.run {
      do {
        var answer = ""
        // The second request finds the connection of the first.
        for number in 1...2 {
          let response = try await asking.request(
            "PUT", .tls(host: host, port: 443), "/\(number)",
            body: .bytes([UInt8](repeating: 65, count: bodyBytes)))
          answer = String(decoding: try await response.collect(maxBytes: 1 << 20), as: UTF8.self)
        }
        return .success(answer)
      } catch {
        return .failure(error)
      }
    }
  }

  private func expectRefusal(
    _ result: Result<String, any Error>, _ words: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    guard case .failure(StreamError.tls(let reason)) = result else {
      Issue.record("\(result)", sourceLocation: sourceLocation)
      return
    }
    #expect(reason.contains(words), sourceLocation: sourceLocation)
  }

  @Test func theClientBelievesItsAuthority() throws {
    let world = try World()
    let answer = try ask(world.server(), world.client(), bodyBytes: 100_000)
    #expect(try answer.get().hasPrefix("PUT /2 AAAA"))
  }

  @Test func theClientRefusesAnotherAuthorityAndAnotherHost() throws {
    let world = try World()
    expectRefusal(
      try ask(world.server(), world.client(trusting: world.other)), "certificate is refused")
    expectRefusal(
      try ask(world.server(), world.client(), host: "elsewhere"), "certificate is refused")
  }

  @Test(arguments: [10, 1 << 20])
  func theServerMayRequireACertificateOfTheClient(bodyBytes: Int) throws {
    let world = try World()
    let server = try world.server(clientAuthorities: world.authority)
    let good = try TestCertificate("good", names: "DNS:good", issuer: world.authority)
    let bad = try TestCertificate("bad", names: "DNS:bad", issuer: world.other)
    let answer = try ask(server, world.client(certificate: good), bodyBytes: min(bodyBytes, 10_000))
    #expect(try answer.get().hasPrefix("PUT /2 AAAA"))
    expectRefusal(
      try ask(server, world.client(), bodyBytes: bodyBytes), "certificate required")
    expectRefusal(
      try ask(server, world.client(certificate: bad), bodyBytes: bodyBytes), "unknown ca")
  }

  /// What is no TLS record, such as the bytes of a broken proxy, in the middle of a body.
  @Test func aBrokenRecordInABodyIsABrokenConnection() throws {
    let world = try World()
    let (server, client) = (try world.server(), try world.client())
    let runtime = SimulatedRuntime(seed: 2)
    let notes = Notes()
    let http = SimulatedServer(runtime) { exchange in
      do { _ = try await exchange.body.collect(maxBytes: 100) } catch {
        notes.lines.append("\(error)")
        throw error
      }
    }
    try runtime.run {
      let pipe = SimulatedPipe(runtime)
      let serving = runtime.spawn {
        let stream = try? await TLSStream.accept(
          pipe.second, context: server, deadline: .distantFuture)
        if let stream { await http.server.serve(stream, isTLS: true) }
      }
      let stream = try await TLSStream.connect(
        pipe.first, context: client, serverName: "localhost", deadline: .distantFuture)
      try await Self.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc", to: stream)
      try await runtime.sleep(for: .seconds(1))
      try await Self.send("no record at all", to: pipe.first)
      await serving.value
    }
    #expect(notes.lines == ["truncated"])
  }

  private static func send(_ text: String, to stream: any ByteStream) async throws {
    let bytes = Array(text.utf8)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { buffer.deallocate() }
    buffer.copyBytes(from: bytes)
    try await stream.write(UnsafeRawBufferPointer(buffer), deadline: .distantFuture)
  }
}
