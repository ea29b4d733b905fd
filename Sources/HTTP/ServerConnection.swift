// The life of one connection to a server: heads in, exchanges, responses out.
//
//     idle --first byte--> head --complete--> handler --response whole, body read--> idle
//                            |                   |
//                            '-- rejected -------'--> last response, linger, closed
//
// Invariants:
//   1. A request is looked for only where the one before it has ended for certain: its body read to the
//      end and its response sent whole. Otherwise the connection closes.
//   2. An idle connection holds no borrowed buffer.
//   3. Before a close that the client does not expect, what it still sends is read for a while, as a
//      reset would take the response away from it.

import Base
package import Reactor

/// Serves one connection.
package final class ServerConnection {
  package let messages: MessageStream
  let server: HTTPServer
  let peer: String
  let isTLS: Bool
  private let entry: ConnectionEntry
  /// Counted up for each request, from a random start.
  private var requestNumber: UInt64

  /// A connection over `stream`, which `server` can stop by `entry`.
  package init(_ stream: any ByteStream, server: HTTPServer, entry: ConnectionEntry, isTLS: Bool) {
    self.server = server
    self.entry = entry
    self.isTLS = isTLS
    peer = stream.peerDescription
    requestNumber = server.runtime.random.next()
    messages = MessageStream(
      stream, runtime: server.runtime, writeTimeout: server.options.bodyTimeout, entry: entry)
  }

  /// Serves requests until the connection is to be closed.
  package func run() async {
    while let request = await receiveHead() {
      guard await serve(request) else { return }
      // A client that sends requests ahead is never waited for; a crowd of them would have the loop to itself. Only a
      // cancellation makes it fail, and what comes next finds out about that.
      if !messages.received.isEmpty { try? await server.runtime.letOthersRun() }
    }
  }

  // MARK: Heads

  /// The next request; `nil` when there is none and the connection is to be closed.
  private func receiveHead() async -> ParsedRequest? {
    if messages.received.isEmpty, await !waitForRequest() { return nil }
    var parser = RequestParser(limits: server.headLimits)
    let start = server.runtime.now
    let deadline = start + server.options.headTimeout
    do {
      while true {
        if let request = try parser.parse(messages.received.bytes) {
          messages.received.consume(request.byteCount)
          return request
        }
        guard try await messages.receive(since: start, deadline: deadline) > 0 else { return nil }
      }
    } catch let rejection as HTTPRejection {
      await reject(rejection)
    } catch StreamError.timedOut {
      guard !messages.received.isEmpty else { return nil }
      await reject(HTTPRejection(408, "the request head took too long"))
    } catch {
      server.logger.debug("connection failed", [("peer", peer), ("error", "\(error)")])
    }
    return nil
  }

  /// Waits for a first byte, as long as an idle connection may; `false`: close.
  private func waitForRequest() async -> Bool {
    let start = server.runtime.now
    entry.becomeIdle(since: start)
    // Checked after becoming idle: who begins the shutdown sets the flag and then looks for idle ones.
    guard !server.isShuttingDown else { return false }
    let deadline = start + server.options.idleTimeout
    do {
      while try await !receiveFirstBytes(deadline: deadline) {
        // A part of a TLS record keeps memory as that of a head does, and has as long.
        if messages.stream.holdsPart { return entry.becomeBusy() }
      }
    } catch {
      return false
    }
    return !messages.received.isEmpty && entry.becomeBusy()
  }

  /// Waits without a buffer, then takes what is there; `false` when the wait ended early.
  private func receiveFirstBytes(deadline: MonotonicInstant) async throws -> Bool {
    messages.received.release()
    try await messages.stream.waitUntilReadable(deadline: deadline)
    do {
      try await messages.receiveWhatIsThere()
      return true
    } catch StreamError.timedOut where server.runtime.now < deadline {
      return false
    }
  }

  /// Answers a head that cannot be understood.
  ///
  /// Where the next one begins is unknown, so it is the last.
  private func reject(_ rejection: HTTPRejection) async {
    server.metrics.rejected.add()
    server.logger.debug(
      "request refused",
      [("peer", peer), ("status", "\(rejection.status)"), ("reason", rejection.reason)])
    let writer = ResponseHeadWriter(server: server, requestNumber: nextRequestNumber())
    let text = Array("\(rejection.reason)\n".utf8)
    writer.write(
      rejection.status, headers: ["content-type": "text/plain"],
      framing: .length(UInt64(text.count)), connection: .close, to: messages.pending)
    do {
      try await messages.send(text)
      await linger()
    } catch {
      server.logger.debug("no answer to a refused request", [("error", "\(error)")])
    }
  }

  // MARK: Exchanges

  /// Has `request` answered; `false`: close.
  private func serve(_ request: ParsedRequest) async -> Bool {
    let exchange = HTTPExchange(request, connection: self, requestNumber: nextRequestNumber())
    server.metrics.requestsInFlight.add(1)
    await server.handler.handle(exchange)
    let ending = await exchange.conclude()
    server.metrics.requestsInFlight.add(-1)
    server.metrics.receivedBytes.add(exchange.body.receivedBytes)
    server.metrics.finished(
      status: exchange.finishedStatus, in: server.runtime.now - exchange.started)
    switch ending {
    case .persist: return true
    case .close: await finishWriting()
    case .lingerAndClose: await linger()
    case .abort: break
    }
    return false
  }

  private func nextRequestNumber() -> UInt64 {
    // An odd number, so that all 2^64 come before one comes again, and neighbours look different.
    requestNumber &+= 0x9E37_79B9_7F4A_7C15
    return requestNumber
  }

  // MARK: The end

  private func finishWriting() async {
    let deadline = server.runtime.now + server.options.lingerTimeout
    // The connection is closed whether or not the peer is still there.
    try? await messages.stream.finishWriting(deadline: deadline)
  }

  /// Reads and drops what the client still sends, until it has seen the end of our side.
  private func linger() async {
    await finishWriting()
    let timeout = server.options.lingerTimeout
    let start = server.runtime.now
    let end = start + timeout * Self.lingerRounds
    messages.received.drop()
    entry.beginWait(since: start, holding: 0)
    defer { entry.endWait() }
    do {
      while server.runtime.now < end {
        let deadline = min(end, server.runtime.now + timeout)
        try await messages.stream.waitUntilReadable(deadline: deadline)
        let buffer = BufferPool.shared.take()
        defer { BufferPool.shared.give(buffer) }
        guard try await messages.stream.read(into: buffer.bytes, deadline: deadline) > 0 else {
          return
        }
        // It may be sent as fast as the loop reads.
        try await server.runtime.letOthersRun()
      }
    } catch {
      // The time is over or the client is gone: closing is all that is left either way.
    }
  }

  /// A client that keeps sending is read for this many times the linger timeout.
  private static let lingerRounds = 5
}
