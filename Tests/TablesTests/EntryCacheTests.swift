import Tables
import Testing

@Suite struct EntryCacheTests {
  private let cache = EntryCache<String>(bytesMax: 20_000)

  private func key(_ name: String) -> RowKey {
    RowKey(partitionKey: [1, 2], sortKey: Array(name.utf8))
  }

  private func row(_ name: String, _ value: String?, bytes: Int = 1) -> String? {
    cache.row(key(name)) { value.map { ($0, bytes) } }
  }

  @Test func aRowIsReadOnce() {
    #expect(row("a", "1") == "1")
    #expect(row("a", "2") == "1")
    #expect(row("b", "3") == "3")
  }

  @Test func whatIsNotThereIsLookedForEachTime() {
    #expect(row("a", nil) == nil)
    #expect(row("a", "1") == "1")
  }

  @Test func aChangedRowIsReadAnewFromBeforeTheCommitOn() {
    _ = row("a", "1")
    _ = row("b", "1")
    cache.willChange(key("a"))
    #expect(row("a", "2") == "2")
    // Whether the commit has happened is unknown to a reader: nothing is kept.
    #expect(row("a", "3") == "3")
    #expect(row("b", "2") == "1")
    cache.didChange()
    #expect(row("a", "4") == "4")
    #expect(row("a", "5") == "4")
  }

  @Test func aChangedRowIsForgottenAlsoWhereItIsOld() {
    _ = row("a", "1")
    for number in 0..<20 { _ = row("\(number)", "x") }
    cache.willChange(key("a"))
    cache.didChange()
    #expect(row("a", "2") == "2")
  }

  @Test func aSlowReaderDoesNotBringBackWhatWasReplaced() {
    let old = cache.row(key("a")) {
      cache.willChange(key("a"))
      cache.didChange()
      return ("1", 1)
    }
    #expect(old == "1")
    #expect(row("a", "2") == "2")
  }

  @Test func hotRowsOutliveAWalkOverEverything() {
    _ = row("hot", "1")
    for number in 0..<1000 {
      _ = row("\(number)", "x")
      #expect(row("hot", "2") == "1")
    }
    #expect(row("0", "y") == "y")
  }

  @Test func memoryIsBounded() {
    var kept = 0
    for number in 0..<1000 { _ = row("\(number)", "1") }
    for number in 0..<1000 where row("\(number)", nil) != nil { kept += 1 }
    // 769 bytes each.
    #expect(kept > 0 && kept <= 26)
    _ = row("huge", "1", bytes: 10_000)
    #expect(row("huge", "2") == "2")
  }
}
