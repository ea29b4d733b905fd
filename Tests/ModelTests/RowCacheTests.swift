import Model
import Synchronization
import Testing

/// A table whose changes are counted, and how often it was read.
private final class CountedTable: Sendable {
  let changes = Atomic<UInt64>(0)
  let reads = Atomic<Int>(0)

  func change() { changes.add(1, ordering: .sequentiallyConsistent) }

  func read<Value>(_ value: Value) -> Value {
    reads.add(1, ordering: .sequentiallyConsistent)
    return value
  }

  var readCount: Int { reads.load(ordering: .sequentiallyConsistent) }
}

@Suite struct RowCacheTests {
  private let table = CountedTable()

  private var cache: RowCache<String, Int> {
    RowCache { [table] in table.changes.load(ordering: .sequentiallyConsistent) }
  }

  @Test func aValueIsReadOnceUntilTheTableChanges() async throws {
    let cache = cache
    for _ in 0..<3 { #expect(try await cache.value("a") { table.read(1) } == 1) }
    #expect(table.readCount == 1)
    table.change()
    #expect(try await cache.value("a") { table.read(2) } == 2)
    #expect(try await cache.value("a") { table.read(3) } == 2)
  }

  @Test func whatAChangeOvertookIsNotKept() async throws {
    let cache = cache
    let old = try await cache.value("a") {
      table.change()
      return 1
    }
    #expect(old == 1)
    #expect(try await cache.value("a") { 2 } == 2)
  }

  @Test func aValueReadBeforeAChangeDoesNotReplaceOneReadAfterIt() async throws {
    let cache = cache
    _ = try await cache.value("a") {
      table.change()
      let newer = try? await cache.value("a") { 2 }
      #expect(newer == 2)
      return 1
    }
    #expect(try await cache.value("a") { 3 } == 2)
  }

  @Test func noIsAskedEachTime() async throws {
    let cache = cache
    for _ in 0..<3 { #expect(try await cache.value("a") { table.read(nil) } == nil) }
    #expect(table.readCount == 3)
  }

  @Test func strangersDoNotMakeItGrow() async throws {
    let cache = cache
    for number in 0..<1024 { _ = try await cache.value("\(number)") { number } }
    #expect(try await cache.value("0") { table.read(-1) } == 0)
    _ = try await cache.value("one more") { 1 }
    #expect(try await cache.value("0") { table.read(-1) } == -1)
  }
}
