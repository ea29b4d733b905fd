import Base
import Glibc
import Reactor
import Testing

@Suite("Socket stream")
struct SocketStreamTests {
  @Test("delivers a large transfer both ways at once, with writers waiting for readers")
  func bothWays() async throws {
    try await onLoops { group in
      let ends = Ends(try SocketStream.pair(on: group.loops[0]))
      let data = pattern(3_000_000)
      let other = group.spawn {
        await withTaskGroup(of: Void.self) { children in
          children.addTask {
            try? await write(data, to: ends.second)
            try? await ends.second.finishWriting(deadline: soon())
          }
          children.addTask { #expect(await (try? readAll(ends.second)) == data) }
        }
      }
      await withTaskGroup(of: Void.self) { children in
        children.addTask {
          try? await write(data, to: ends.first)
          try? await ends.first.finishWriting(deadline: soon())
        }
        children.addTask { #expect(await (try? readAll(ends.first)) == data) }
      }
      await other.value
    }
  }

  @Test("goes on reading after it has finished writing")
  func halfClose() async throws {
    try await onLoops { group in
      let ends = Ends(try SocketStream.pair(on: group.loops[0]))
      try await write([1, 2], to: ends.first)
      try await ends.first.finishWriting(deadline: soon())
      #expect(try await readAll(ends.second) == [1, 2])
      try await write([3, 4, 5], to: ends.second)
      ends.second.close()
      #expect(try await readAll(ends.first) == [3, 4, 5])
      await #expect(throws: StreamError.disconnected(errno: EPIPE)) {
        try await write([6], to: ends.first)
      }
    }
  }

  @Test("ends a read and a write at their deadlines, and works on afterwards")
  func deadlines() async throws {
    try await onLoops { group in
      let ends = Ends(try SocketStream.pair(on: group.loops[0]))
      let start = group.now
      await #expect(throws: StreamError.timedOut) {
        _ = try await read(ends.first, deadline: start + .milliseconds(20))
      }
      #expect(group.now - start >= .milliseconds(20))
      // A far deadline first, then a near one: the timer must move forward.
      let reader = group.spawn {
        await #expect(throws: CancellationError.self) { _ = try await read(ends.first) }
      }
      try await group.sleep(for: .milliseconds(2))
      reader.cancel()
      await reader.value
      let again = group.now
      await #expect(throws: StreamError.timedOut) {
        _ = try await read(ends.first, deadline: again + .milliseconds(10))
      }
      #expect(group.now - again < .seconds(5))
      await #expect(throws: StreamError.timedOut) {
        try await write(pattern(4_000_000), to: ends.first, deadline: group.now + .milliseconds(10))
      }
      try await write([9], to: ends.second)
      #expect(try await read(ends.first) == [9])
    }
  }

  @Test("keeps both deadlines when a read and a write wait at once")
  func bothDeadlines() async throws {
    try await onLoops { group in
      let ends = Ends(try SocketStream.pair(on: group.loops[0]))
      let data = pattern(4_000_000)
      let ended = Order()
      let start = group.now
      let writer = group.spawn {
        await #expect(throws: StreamError.timedOut) {
          try await write(data, to: ends.first, deadline: start + .milliseconds(60))
        }
        #expect(group.now - start >= .milliseconds(60))
        ended.append(2)
      }
      await #expect(throws: StreamError.timedOut) {
        _ = try await read(ends.first, deadline: start + .milliseconds(20))
      }
      ended.append(1)
      await writer.value
      #expect(ended.numbers == [1, 2])
    }
  }

  @Test("is cancelled before, while and after it waits, from the same thread and another")
  func cancellation() async throws {
    try await onLoops(2) { group in
      let ends = Ends(try SocketStream.pair(on: group.loops[0]))
      for round in 0..<400 {
        let reader = group.spawn(on: group.loops[0]) {
          do {
            #expect(try await read(ends.first) == [1], "round \(round)")
          } catch {
            #expect(error is CancellationError, "round \(round)")
          }
        }
        if round % 4 == 1 { await Task.yield() }
        if round % 4 == 2 { try await group.sleep(for: .microseconds(30)) }
        if round % 2 == 0 {
          await group.spawn(on: group.loops[1]) { reader.cancel() }.value
        } else {
          reader.cancel()
        }
        await reader.value
      }
    }
  }

  @Test("is not ended by the cancellation of the read before it")
  func lateCancellation() async throws {
    try await onLoops { group in
      let ends = Ends(try SocketStream.pair(on: group.loops[0]))
      let received = Tally()
      // For the first read to be cancelled after its bytes have come and before it has taken them, the
      // cancellation must fall on one of many turns; so try them all.
      for round in 0..<300 {
        let before = group.spawn {
          if (try? await read(ends.first, limit: 1)) != nil { received.add() }
        }
        let after = group.spawn {
          await before.value
          await #expect(throws: Never.self, "round \(round)") {
            _ = try await read(ends.first, limit: 1)
          }
          received.add()
        }
        await Task.yield()
        try await write([1], to: ends.second)
        for _ in 0..<round { await Task.yield() }
        before.cancel()
        await before.value
        await Task.yield()
        try await write([2], to: ends.second)
        await after.value
        if received.value < 2 * (round + 1) {
          received.add(try await read(ends.first, limit: 1).count)
        }
      }
      #expect(received.value == 600)
    }
  }

  @Test("loses no byte when a cancellation and bytes come together")
  func cancellationRace() async throws {
    try await onLoops(2) { group in
      let ends = Ends(try SocketStream.pair(on: group.loops[0]))
      let received = Tally()
      for round in 0..<500 {
        let reader = group.spawn {
          if let bytes = try? await read(ends.first, limit: 1) { received.add(bytes.count) }
        }
        await Task.yield()
        let canceller = group.spawn(on: group.loops[1]) { reader.cancel() }
        try await write([UInt8(truncatingIfNeeded: round)], to: ends.second)
        await canceller.value
        await reader.value
      }
      ends.second.close()
      received.add(try await readAll(ends.first).count)
      #expect(received.value == 500)
    }
  }

  @Test("ends reads and writes under way when it is closed, here or from another thread")
  func closeWhileWaiting() async throws {
    try await onLoops(2) { group in
      for round in 0..<50 {
        let ends = Ends(try SocketStream.pair(on: group.loops[0]))
        let reader = group.spawn {
          await #expect(throws: StreamError.disconnected(errno: 0)) {
            _ = try await read(ends.first)
          }
        }
        let writer = group.spawn {
          await #expect(throws: StreamError.disconnected(errno: 0)) {
            try await write(pattern(1_000_000), to: ends.first)
          }
        }
        if round % 2 == 0 { try await group.sleep(for: .microseconds(200)) }
        if round % 4 < 2 {
          ends.first.close()
        } else {
          await group.spawn(on: group.loops[1]) { ends.first.close() }.value
        }
        await reader.value
        await writer.value
        ends.first.close()
      }
    }
  }

  @Test("reports a peer that resets the connection")
  func reset() async throws {
    try await onLoops { group in
      let listener = try Listener.tcp(host: "127.0.0.1", port: 0)
      let serving = group.spawn {
        await listener.serve(on: group, limit: 10) { stream in
          // Closing with unread bytes makes the kernel send a reset.
          try? await stream.waitUntilReadable(deadline: soon())
        }
      }
      let stream = try await SocketStream.connect(to: listener.localAddress, deadline: soon())
      try await write([1, 2, 3], to: stream)
      await #expect(throws: StreamError.disconnected(errno: ECONNRESET)) {
        _ = try await read(stream)
      }
      listener.close()
      await serving.value
    }
  }

  @Test("waits for bytes without taking them")
  func waitUntilReadable() async throws {
    try await onLoops { group in
      let ends = Ends(try SocketStream.pair(on: group.loops[0]))
      await #expect(throws: StreamError.timedOut) {
        try await ends.first.waitUntilReadable(deadline: group.now + .milliseconds(5))
      }
      let writer = group.spawn {
        try? await group.sleep(for: .milliseconds(2))
        try? await write([4], to: ends.second)
      }
      try await ends.first.waitUntilReadable(deadline: soon())
      #expect(try await read(ends.first) == [4])
      await writer.value
      ends.second.close()
      try await ends.first.waitUntilReadable(deadline: soon())
      #expect(try await read(ends.first) == [])
    }
  }

  @Test("finds an end that came together with the last bytes")
  func endWithLastBytes() async throws {
    try await onLoops { group in
      let ends = Ends(try SocketStream.pair(on: group.loops[0]))
      let writer = group.spawn {
        try? await group.sleep(for: .milliseconds(2))
        // Without a suspension in between: both are in one edge.
        try? await write([4], to: ends.second)
        try? await ends.second.finishWriting(deadline: soon())
      }
      try await ends.first.waitUntilReadable(deadline: soon())
      #expect(try await read(ends.first) == [4])
      try await ends.first.waitUntilReadable(deadline: soon())
      #expect(try await read(ends.first) == [])
      await writer.value
    }
  }

  @Test("sees what arrives between a read and the next wait")
  func arrivalBetweenReadAndWait() async throws {
    try await onLoops { group in
      let ends = Ends(try SocketStream.pair(on: group.loops[0]))
      for number in UInt8(1)...3 {
        try await write([number], to: ends.second)
        try await ends.first.waitUntilReadable(deadline: soon())
        #expect(try await read(ends.first) == [number])
        try await write([number + 10], to: ends.second)
        // The edge comes while nobody waits.
        try await group.sleep(for: .milliseconds(2))
        try await ends.first.waitUntilReadable(deadline: soon())
        #expect(try await read(ends.first) == [number + 10])
      }
    }
  }

  @Test("closes its descriptor when it is dropped")
  func dropped() async throws {
    try await onLoops { group in
      let other: SocketStream
      do {
        let (first, second) = try SocketStream.pair(on: group.loops[0])
        _ = first
        other = second
      }
      #expect(try await readAll(other) == [])
    }
  }
}

/// Both ends of a connection, for tasks of one loop.
final class Ends: @unchecked Sendable {
  // Safe because the tests use the streams on their loop only, apart from `close`, which any thread may call.
  let first: SocketStream
  let second: SocketStream
  init(_ pair: (SocketStream, SocketStream)) { (first, second) = pair }
}
