// What blocks on a slow line do to small questions: two nodes as two processes, one at each end.
//
// One node answers. The other asks small questions, first alone, then beside blocks that go out, that come in, and both;
// after a while of each, so that all queues are as full as they get. `scripts/bench line` makes the line.

import Base
import Codecs
import Glibc
import Mesh
import Reactor
import Synchronization

enum MeshLine {
  /// Anybody may know these keys: the nodes live in namespaces of their own, for a minute.
  private static let answererSeed = [UInt8](repeating: 1, count: NodeTLS.keyBytes)
  private static let askerSeed = [UInt8](repeating: 2, count: NodeTLS.keyBytes)

  /// So many ask, each one question after another with a pause between, so that they do not ask in step.
  private static let askers = 8
  private static let pauseMaxMilliseconds = 20
  /// So many blocks are under way at a time, in each direction that is measured.
  private static let blocksAtOnce = 4
  /// What goes into a stream, or comes out of it, at once.
  private static let pieceBytes = 16 << 10
  /// Until TCP has found the line's rate and queues are full.
  private static let warmUp: Duration = .seconds(3)
  /// Far longer than a question takes on any line that is worth measuring.
  private static let questionMax: Duration = .seconds(30)

  /// What goes on beside the questions.
  private enum Blocks: String, CaseIterable {
    case quiet, out, `in`, both

    var goOut: Bool { self == .out || self == .both }
    var comeIn: Bool { self == .in || self == .both }
  }

  /// Runs the command of `arguments`; returns its exit code.
  static func run(_ arguments: [String]) -> Int32 {
    guard arguments.count >= 3, let address = SocketAddress(parsing: arguments[1]),
      let limit = Int(arguments[2]), limit >= 0
    else {
      print(BenchmarkOptions.usage)
      return 2
    }
    let seconds = arguments.count > 3 ? Double(arguments[3]) ?? 10 : 10
    let group = EventLoopGroup(loopCount: 1, blockingThreads: 1)
    return group.run {
      do {
        let limit = limit == 0 ? nil : limit
        if arguments[0] == "mesh-answer" {
          try await answer(at: address, limit, group)
        } else {
          let figures = try await ask(address, limit, .milliseconds(Int64(seconds * 1000)), group)
          print(figures.serialize())
        }
        return 0
      } catch {
        print("grange-bench: not measured: \(error)")
        return 1
      }
    }
  }

  private static func answer(
    at address: SocketAddress, _ limit: Int?, _ group: EventLoopGroup
  ) async throws {
    let mesh = try BenchMesh.make(group, seed: answererSeed, bind: address, uploadLimit: limit)
    BenchMesh.start(mesh, members: [mesh.own, try BenchMesh.id(seed: askerSeed)])
    while true { try await group.sleep(for: .seconds(3600)) }
  }

  private static func ask(
    _ address: SocketAddress, _ limit: Int?, _ time: Duration, _ group: EventLoopGroup
  ) async throws -> JSON {
    let mesh = try BenchMesh.make(group, seed: askerSeed, uploadLimit: limit)
    let other = try BenchMesh.id(seed: answererSeed)
    mesh.addresses.tell([HostAndPort(host: address.host, port: address.port ?? 0)], of: other)
    BenchMesh.start(mesh, members: [mesh.own, other])
    try await BenchMesh.waitForBulk(mesh, other, group)
    var figures: [JSON.Member] = []
    for blocks in Blocks.allCases {
      figures.append(
        JSON.Member(blocks.rawValue, try await measure(blocks, mesh, other, time, group)))
    }
    await mesh.stop()
    return .object(figures)
  }

  // MARK: One figure

  private static func measure(
    _ blocks: Blocks, _ mesh: NodeMesh, _ other: NodeID, _ time: Duration, _ group: EventLoopGroup
  ) async throws -> JSON {
    let (sent, received) = (Counted(), Counted())
    return try await withThrowingTaskGroup(of: LatencyHistogram?.self) { tasks in
      for _ in 0..<blocksAtOnce {
        if blocks.goOut {
          tasks.addTask { while true { try await sendBlock(mesh, other, sent) } }
        }
        if blocks.comeIn {
          tasks.addTask { while true { try await receiveBlock(mesh, other, received) } }
        }
      }
      try await group.sleep(for: warmUp)
      let began = group.now
      let (sentBefore, receivedBefore) = (sent.bytes, received.bytes)
      for _ in 0..<askers {
        tasks.addTask { try await askAgain(mesh, other, until: began + time, group) }
      }
      var latencies = LatencyHistogram()
      for _ in 0..<askers {
        guard let one = try await tasks.next(), let one else { continue }
        latencies.add(one)
      }
      let seconds = (group.now - began).inSeconds
      tasks.cancelAll()
      while let _ = await tasks.nextResult() {}
      return [
        "questions": .integer(Int64(latencies.count)),
        "p50_ms": .number(latencies.milliseconds(quantile: 0.5)),
        "p99_ms": .number(latencies.milliseconds(quantile: 0.99)),
        "max_ms": .number(latencies.maxMilliseconds),
        "out_mbit_s": .number(Double(sent.bytes - sentBefore) * 8 / seconds / 1e6),
        "in_mbit_s": .number(Double(received.bytes - receivedBefore) * 8 / seconds / 1e6),
      ]
    }
  }

  private static func askAgain(
    _ mesh: NodeMesh, _ other: NodeID, until end: MonotonicInstant, _ group: EventLoopGroup
  ) async throws -> LatencyHistogram {
    var latencies = LatencyHistogram()
    while group.now < end {
      let asked = group.now
      try await BenchMesh.ask(mesh, other, deadline: asked + questionMax)
      latencies.record(nanoseconds: UInt64((group.now - asked).wholeNanoseconds))
      let pause = SystemRandom.shared.below(pauseMaxMilliseconds)
      try await group.sleep(for: .milliseconds(Int64(pause)))
    }
    return latencies
  }

  private static func sendBlock(_ mesh: NodeMesh, _ other: NodeID, _ sent: Counted) async throws {
    let stream = try await mesh.open(
      "bench/sink", lane: .bulk, other, first: [], isEnd: false, deadline: .distantFuture)
    let piece = [UInt8](repeating: 7, count: pieceBytes)
    for _ in 0..<BenchMesh.blockBytes / pieceBytes {
      try await stream.write(piece)
      sent.add(pieceBytes)
    }
    try await stream.finish()
    while try await !stream.read(max: pieceBytes).isEmpty {}
  }

  private static func receiveBlock(
    _ mesh: NodeMesh, _ other: NodeID, _ received: Counted
  ) async throws {
    let stream = try await mesh.open(
      "bench/source", lane: .bulk, other, first: [], isEnd: true, deadline: .distantFuture)
    while true {
      let count = try await stream.read(max: pieceBytes).count
      guard count > 0 else { return }
      received.add(count)
    }
  }
}

/// Bytes, counted by several tasks.
private final class Counted: Sendable {
  private let count = Atomic<Int>(0)

  var bytes: Int { count.load(ordering: .relaxed) }

  func add(_ bytes: Int) { count.add(bytes, ordering: .relaxed) }
}
