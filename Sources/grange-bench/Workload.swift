// What is asked for, in which order.

/// A request about to be sent.
struct NextRequest {
  let operation: Operation
  /// The object it is about; for a page that of no object.
  let number: Int
  let head: UnsafeRawBufferPointer
}

/// Chooses each connection's next request, out of heads that are signed already.
struct Workload {
  private let options: BenchmarkOptions
  private let writer: HeadWriter
  private let gets: RequestHeads
  private let headReads: RequestHeads
  private let puts: RequestHeads
  private let deletes: RequestHeads
  /// What to do next, chosen at random; a single element unless the load is mixed.
  private let wheel: [Operation]
  private var random = SmallRandom(seed: 1)
  /// How many of the keys that are gone through once have been.
  private var turn = 0
  /// How many requests may still begin.
  private var left: Int
  private var connections: [PerConnection]

  private struct PerConnection {
    /// The newest object that this connection put and has not deleted, as its place among the heads.
    var undeleted: Int?
    var position: HeadWriter.PagePosition
    /// Holds the request for a page while it is sent.
    let pageHead = Memory(byteCount: Workload.pageHeadBytes)
  }

  /// Signing takes 20 us and a head some 500 bytes, so reads choose among so many keys of all there are.
  private static let readHeadsMax = 20_000
  /// A page's request with a token for the longest key, percent-encoded, and room to spare.
  private static let pageHeadBytes = 16 << 10

  /// A load whose puts, or deletes, go through `keys`.
  init(_ options: BenchmarkOptions, keys: Range<Int>) {
    self.options = options
    let writer = HeadWriter(options)
    self.writer = writer
    left = options.operationCountMax
    let wheel = options.operation == .mixed ? options.mix.wheel : [options.operation]
    self.wheel = wheel
    func heads(_ operation: Operation, _ numbers: [Int]) -> RequestHeads {
      RequestHeads(operation, wheel.contains(operation) ? numbers : [], writer)
    }
    let readKeys =
      options.operation == .verify ? Array(keys) : Self.choose(options.objectCount)
    gets = heads(options.operation == .verify ? .verify : .get, readKeys)
    headReads = heads(.head, readKeys)
    puts = heads(options.operation == .fill ? .fill : .put, Array(keys))
    deletes = heads(.delete, Array(keys))
    connections = (0..<options.concurrency).map { index in
      PerConnection(position: .before(options.objectCount * index / options.concurrency))
    }
  }

  private static func choose(_ count: Int) -> [Int] {
    guard count > readHeadsMax else { return Array(0..<count) }
    var random = SmallRandom(seed: 2)
    return (0..<readHeadsMax).map { _ in random.below(count) }
  }

  /// The next request of `connection`; `nil` when there is nothing left to do.
  mutating func next(_ connection: Int) -> NextRequest? {
    guard left > 0 else { return nil }
    left -= 1
    let operation = wheel.count == 1 ? wheel[0] : wheel[random.below(wheel.count)]
    switch operation {
    case .get: return read(.get, gets)
    case .verify: return nextInTurn(.get, gets)
    case .head: return read(.head, headReads)
    case .list, .mixed: return page(connection)
    case .put, .fill: return put(connection)
    case .delete:
      guard options.operation == .mixed else { return nextInTurn(.delete, deletes) }
      // Only what is surely there: what this connection has put itself.
      guard let place = connections[connection].undeleted else { return put(connection) }
      connections[connection].undeleted = nil
      return NextRequest(
        operation: .delete, number: deletes.numbers[place], head: deletes[place])
    }
  }

  /// Takes note of where the page after this one begins.
  mutating func note(_ page: ListPage, of connection: Int) {
    connections[connection].position = page.token.map { .token($0) } ?? .before(0)
  }

  private mutating func read(_ operation: Operation, _ heads: RequestHeads) -> NextRequest {
    let place = random.below(heads.count)
    return NextRequest(operation: operation, number: heads.numbers[place], head: heads[place])
  }

  private mutating func put(_ connection: Int) -> NextRequest? {
    connections[connection].undeleted = turn
    return nextInTurn(.put, puts)
  }

  private mutating func nextInTurn(
    _ operation: Operation, _ heads: RequestHeads
  ) -> NextRequest? {
    guard turn < heads.count else { return nil }
    defer { turn += 1 }
    return NextRequest(operation: operation, number: heads.numbers[turn], head: heads[turn])
  }

  private mutating func page(_ connection: Int) -> NextRequest {
    let position =
      options.operation == .mixed
      ? .before(random.below(options.objectCount)) : connections[connection].position
    let head = writer.listHead(from: position).prefix(Self.pageHeadBytes)
    let memory = connections[connection].pageHead.bytes
    memory.copyBytes(from: head)
    return NextRequest(
      operation: .list, number: 0, head: UnsafeRawBufferPointer(rebasing: memory[..<head.count]))
  }
}
