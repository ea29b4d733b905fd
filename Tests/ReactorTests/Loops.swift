// How these tests run code on event loops: each test has its own group, on threads of its own.

import Base
import Glibc
import Reactor
import Synchronization

/// Runs `body` on the first loop of a new group and returns or throws what it does.
func onLoops<Value: Sendable>(
  _ count: Int = 1, blockingThreads: Int = 2,
  _ body: @escaping @Sendable (EventLoopGroup) async throws -> Value
) async throws -> Value {
  let group = EventLoopGroup(loopCount: count, blockingThreads: blockingThreads)
  // Made here, so that it inherits which test it belongs to.
  let task = Task(executorPreference: group.loops[0]) { try await body(group) }
  await withCheckedContinuation { continuation in
    startThread {
      _ = group.run {
        _ = await task.result
        return 0
      }
      continuation.resume()
    }
  }
  return try await task.value
}

/// Runs `body` on a thread of its own.
func startThread(_ body: @escaping @Sendable () -> Void) {
  final class Box: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
  var handle = pthread_t()
  let started = pthread_create(
    &handle, nil,
    { argument in
      if let argument { Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body() }
      return nil
    }, Unmanaged.passRetained(Box(body)).toOpaque())
  precondition(started == 0)
  pthread_detach(handle)
}

/// A number that tasks on several threads count up.
final class Tally: Sendable {
  private let number = Atomic<Int>(0)
  func add(_ amount: Int = 1) { number.wrappingAdd(amount, ordering: .relaxed) }
  var value: Int { number.load(ordering: .relaxed) }
}

/// What happened, in order.
final class Order: Sendable {
  private let list = Mutex<[Int]>([])
  func append(_ number: Int) { list.withLock { $0.append(number) } }
  var numbers: [Int] { list.withLock { $0 } }
}

/// Something that happens once, for threads that wait for it.
final class Gate: Sendable {
  private let state = Atomic<Bool>(false)
  func open() { state.store(true, ordering: .releasing) }
  var isOpen: Bool { state.load(ordering: .acquiring) }
  /// Blocks the thread.
  func wait() { while !isOpen { usleep(100) } }
  /// Suspends the task.
  nonisolated(nonsending) func passed(on group: EventLoopGroup) async throws {
    while !isOpen { try await group.sleep(for: .microseconds(200)) }
  }
}

/// A point of time that a working test never reaches.
func soon(_ seconds: Int = 20) -> MonotonicInstant { SystemClock.now + .seconds(seconds) }

/// Reads once, up to `limit` bytes.
nonisolated(nonsending) func read(
  _ stream: any ByteStream, limit: Int = 65_536, deadline: MonotonicInstant = soon()
) async throws -> [UInt8] {
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: limit, alignment: 16)
  defer { buffer.deallocate() }
  let count = try await stream.read(into: buffer, deadline: deadline)
  return [UInt8](UnsafeRawBufferPointer(buffer).prefix(count))
}

/// Reads exactly `count` bytes, or fewer at the end of the stream.
nonisolated(nonsending) func read(
  _ stream: any ByteStream, exactly count: Int, deadline: MonotonicInstant = soon()
) async throws -> [UInt8] {
  var all: [UInt8] = []
  while all.count < count {
    let piece = try await read(stream, limit: min(65_536, count - all.count), deadline: deadline)
    if piece.isEmpty { break }
    all += piece
  }
  return all
}

/// Reads to the end of the stream.
nonisolated(nonsending) func readAll(
  _ stream: any ByteStream, deadline: MonotonicInstant = soon()
) async throws -> [UInt8] {
  try await read(stream, exactly: .max, deadline: deadline)
}

/// Writes `bytes`.
nonisolated(nonsending) func write(
  _ bytes: [UInt8], to stream: any ByteStream, deadline: MonotonicInstant = soon()
) async throws {
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
  defer { buffer.deallocate() }
  buffer.copyBytes(from: bytes)
  try await stream.write(UnsafeRawBufferPointer(buffer), deadline: deadline)
}

/// `count` bytes that differ from place to place.
func pattern(_ count: Int, seed: Int = 1) -> [UInt8] {
  [UInt8](unsafeUninitializedCapacity: count) { bytes, initialized in
    var value = UInt8(truncatingIfNeeded: seed)
    var position = 0
    while position < count {
      bytes[position] = value &+ UInt8(truncatingIfNeeded: position >> 8)
      value = value &* 5 &+ 77
      position += 1
    }
    initialized = count
  }
}
