// How fast nodes talk: bulk bytes and small calls over the mesh on loopback, beside plain TLS over one socket.
//
// Both ends run in this process, each on a loop of its own; what is compared differs only in what lies above TLS.

import Base
import Codecs
import Crypto
import Glibc
import Mesh
import Reactor
import Synchronization

enum MeshRate {
  /// What one side of a measurement came to.
  struct Rate: Sendable {
    var count = 0.0
    var seconds = 0.0
    /// Processor time of the process.
    var cpuSeconds = 0.0

    var perSecond: Double { seconds > 0 ? count / seconds : 0 }
  }

  private static let pieceBytes = BenchMesh.blockBytes
  private static let questionBytes = BenchMesh.questionBytes
  private static let concurrency = 16

  /// Measures everything, `seconds` each, and returns the lines to print.
  static func measure(seconds: Double) -> String {
    let lines = Mutex<[String]>([])
    let group = EventLoopGroup(loopCount: 2, blockingThreads: 1)
    let code = group.run {
      do {
        let time = Duration.milliseconds(Int64(seconds * 1000))
        for round in 1...3 {
          let plain = try await plainBulk(group, time)
          let mesh = try await meshBulk(group, time)
          let calls = try await plainCalls(group, time)
          let meshCalls = try await meshCalls(group, time, concurrency: 1)
          let many = try await self.meshCalls(group, time, concurrency: concurrency)
          lines.withLock {
            $0.append(
              "round \(round): bulk \(Int(plain.perSecond / 1e6)) MB/s plain TLS, "
                + "\(Int(mesh.perSecond / 1e6)) MB/s mesh (\(ratio(mesh, plain))); "
                + "calls \(Int(calls.perSecond))/s plain TLS, \(Int(meshCalls.perSecond))/s mesh "
                + "(\(ratio(meshCalls, calls))), \(Int(many.perSecond))/s with \(concurrency) at a time, "
                + "\(Int(many.cpuSecondsEach * 1e6)) us of processor each")
          }
        }
        return 0
      } catch {
        lines.withLock { $0.append("failed: \(error)") }
        return 1
      }
    }
    return lines.withLock { $0.joined(separator: "\n") } + (code == 0 ? "" : "\nnot measured")
  }

  private static func ratio(_ one: Rate, _ other: Rate) -> String {
    let hundredths = Int((one.perSecond / max(other.perSecond, 1) * 100).rounded())
    return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
  }

  // MARK: Plain TLS

  private static func plainBulk(_ group: EventLoopGroup, _ time: Duration) async throws -> Rate {
    try await withPlainTLS(group) { stream in
      let buffer = PooledMemory(pieceBytes)
      while try await stream.read(into: buffer.bytes, deadline: .distantFuture) > 0 {}
    } asking: { stream in
      let buffer = PooledMemory(pieceBytes)
      return try await measured(time) {
        try await stream.write(UnsafeRawBufferPointer(buffer.bytes), deadline: .distantFuture)
        return Double(pieceBytes)
      }
    }
  }

  private static func plainCalls(_ group: EventLoopGroup, _ time: Duration) async throws -> Rate {
    try await withPlainTLS(group) { stream in
      let buffer = PooledMemory(questionBytes)
      while true {
        let count = try await stream.read(into: buffer.bytes, deadline: .distantFuture)
        guard count > 0 else { return }
        try await stream.write(
          UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count]), deadline: .distantFuture)
      }
    } asking: { stream in
      let buffer = PooledMemory(questionBytes)
      return try await measured(time) {
        try await stream.write(UnsafeRawBufferPointer(buffer.bytes), deadline: .distantFuture)
        var missing = questionBytes
        while missing > 0 {
          missing -= try await stream.read(into: buffer.bytes, deadline: .distantFuture)
        }
        return 1
      }
    }
  }

  private static func withPlainTLS(
    _ group: EventLoopGroup, answering: @escaping @Sendable (TLSStream) async throws -> Void,
    asking: (TLSStream) async throws -> Rate
  ) async throws -> Rate {
    let server = try NodeTLS(seed: SystemRandom.shared.bytes(NodeTLS.keyBytes))
    let client = try NodeTLS(seed: SystemRandom.shared.bytes(NodeTLS.keyBytes))
    let listener = try Listener.tcp(host: "127.0.0.1", port: 0)
    // The next connection is served by the other loop.
    while group.nextLoop() !== group.loops[0] {}
    let serving = group.spawn {
      await listener.serve(on: group, limit: 1) { stream in
        guard
          let stream = try? await server.accept(
            stream, admits: { _, _ in true }, deadline: .distantFuture)
        else { return }
        try? await answering(stream)
      }
    }
    let socket = try await SocketStream.connect(to: listener.localAddress, deadline: .distantFuture)
    let stream = try await client.connect(
      socket, expecting: server.publicKey, applicationProtocol: NodeTLS.memberProtocol,
      deadline: .distantFuture)
    let rate = try await asking(stream)
    stream.close()
    listener.close()
    await serving.value
    return rate
  }

  // MARK: Mesh

  private static func meshBulk(_ group: EventLoopGroup, _ time: Duration) async throws -> Rate {
    // The control connection comes first.
    while group.nextLoop() !== group.loops[1] {}
    return try await withMesh(group) { mesh, other in
      let stream = try await mesh.open(
        "bench/sink", lane: .bulk, other, first: [], isEnd: false, deadline: .distantFuture)
      let piece = [UInt8](repeating: 7, count: pieceBytes)
      let rate = try await measured(time) {
        try await stream.write(piece)
        return Double(pieceBytes)
      }
      try await stream.finish()
      return rate
    }
  }

  private static func meshCalls(
    _ group: EventLoopGroup, _ time: Duration, concurrency: Int
  ) async throws -> Rate {
    while group.nextLoop() !== group.loops[0] {}
    return try await withMesh(group) { mesh, other in
      return try await withThrowingTaskGroup { tasks in
        for _ in 0..<concurrency {
          tasks.addTask {
            try await measured(time) {
              try await BenchMesh.ask(mesh, other, deadline: .distantFuture)
              return 1
            }
          }
        }
        var sum = Rate()
        for try await rate in tasks {
          sum.count += rate.count
          sum.seconds = max(sum.seconds, rate.seconds)
          sum.cpuSeconds = max(sum.cpuSeconds, rate.cpuSeconds)
        }
        return sum
      }
    }
  }

  private static func withMesh(
    _ group: EventLoopGroup, _ body: (NodeMesh, NodeID) async throws -> Rate
  ) async throws -> Rate {
    let (one, two) = (try BenchMesh.make(group), try BenchMesh.make(group))
    let address = two.localAddress
    one.addresses.tell(
      [HostAndPort(host: address.host, port: address.port ?? 0)], of: two.own)
    for mesh in [two, one] { BenchMesh.start(mesh, members: [one.own, two.own]) }
    try await BenchMesh.waitForBulk(one, two.own, group)
    let rate = try await body(one, two.own)
    await one.stop()
    await two.stop()
    return rate
  }

  // MARK: Measuring

  /// Does `step` again and again for `time`; it returns how much it did.
  private static func measured(
    _ time: Duration, _ step: () async throws -> Double
  ) async throws -> Rate {
    var rate = Rate()
    let (began, cpu) = (SystemClock.now, processorSeconds())
    while SystemClock.now - began < time { rate.count += try await step() }
    rate.seconds = (SystemClock.now - began).inSeconds
    rate.cpuSeconds = processorSeconds() - cpu
    return rate
  }

  private static func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}

extension MeshRate.Rate {
  var cpuSecondsEach: Double { count > 0 ? cpuSeconds / count : 0 }
}
