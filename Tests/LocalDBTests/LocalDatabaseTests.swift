import Base
import LocalDB
import TestStorage
import Testing

@Suite struct LocalDatabaseTests {
  let folder = TemporaryFolder()

  @Test func keepsWhatWasWrittenAcrossRestarts() async throws {
    do {
      let database = try folder.open()
      #expect(database.wasCreated)
      let tree = try database.tree("a")
      try await database.write { try $0.put(tree, [1, 2], [3]) }
      #expect(try database.get(tree, [1, 2]) == [3])
      database.close()
    }
    let database = try folder.open()
    #expect(!database.wasCreated)
    let tree = try database.tree("a")
    #expect(try database.get(tree, [1, 2]) == [3])
    #expect(database.commitNumber == 1)
  }

  @Test(arguments: [LocalDatabase.Options.Writing.thread, .inline])
  func scansInTheOrderOfUnsignedBytes(writing: LocalDatabase.Options.Writing) async throws {
    let database = try folder.open("meta", writing)
    let tree = try database.tree("a")
    let keys: [[UInt8]] = [[], [0], [0, 0], [0x7F], [0x80], [0x80, 0], [0xFF]]
    try await database.write { transaction in
      for key in keys.reversed() { try transaction.put(tree, key, key + [9]) }
    }
    func scan(from: [UInt8] = [], to: [UInt8]? = nil, limit: Int = .max, reversed: Bool = false)
      throws -> [[UInt8]]
    {
      var found: [[UInt8]] = []
      try database.scan(tree, from: from, to: to, limit: limit, reversed: reversed) { key, value in
        #expect(Array(value) == Array(key) + [9])
        found.append(Array(key))
        return true
      }
      return found
    }
    #expect(try scan() == keys)
    #expect(try scan(reversed: true) == keys.reversed())
    #expect(try scan(from: [0, 0], to: [0x80, 0]) == [[0, 0], [0x7F], [0x80]])
    #expect(try scan(from: [0, 0], to: [0x80, 0], reversed: true) == [[0x80], [0x7F], [0, 0]])
    #expect(try scan(from: [1], limit: 2) == [[0x7F], [0x80]])
  }

  @Test func aThrowingBodyUndoesOnlyItself() async throws {
    struct Refused: Error {}
    let database = try folder.open()
    let tree = try database.tree("a")
    await withTaskGroup(of: Void.self) { group in
      for number in 0..<200 {
        group.addTask {
          do {
            try await database.write { transaction in
              try transaction.put(tree, [UInt8(number)], [1])
              if number % 3 == 0 { throw Refused() }
            }
            #expect(number % 3 != 0)
          } catch {
            #expect(error is Refused && number % 3 == 0)
          }
        }
      }
    }
    var keys: [Int] = []
    try database.scan(tree) { key, _ in
      keys.append(Int(key[0]))
      return true
    }
    #expect(keys == (0..<200).filter { $0 % 3 != 0 })
  }

  @Test func aReadTransactionSeesOneSnapshot() async throws {
    let database = try folder.open()
    let tree = try database.tree("a")
    try await database.write { try $0.put(tree, [1], [1]) }
    try database.read { transaction in
      #expect(try transaction.get(tree, [1]) == [1])
      try database.writeBlocking { try $0.put(tree, [1], [2]) }
      #expect(try transaction.get(tree, [1]) == [1])
      #expect(try database.get(tree, [1]) == [2])
    }
  }

  @Test func aBodyMayReadTheSameTreeWithinAScan() async throws {
    let database = try folder.open()
    let tree = try database.tree("a")
    try await database.write { transaction in
      for number in 0..<UInt8(5) { try transaction.put(tree, [number], []) }
    }
    var seen = 0
    try database.read { transaction in
      try transaction.scan(tree) { _, _ in
        try transaction.scan(tree) { key, _ in
          let value = try transaction.get(tree, Array(key))
          #expect(value == [])
          seen += 1
          return true
        }
        return true
      }
    }
    #expect(seen == 25)
  }

  @Test func aSecondOpenIsRefusedAndNamesTheProcess() throws {
    let database = try folder.open()
    #expect(throws: LocalDBError.self) { try folder.open() }
    do {
      _ = try folder.open()
    } catch {
      #expect("\(error)".contains("is in use by process "))
    }
    database.close()
  }

  @Test func anObserverIsToldOnlyOfWhatIsKept() async throws {
    struct Refused: Error {}
    let database = try folder.open()
    let tree = try database.tree("a")
    let counter = MetricsRegistry().counter("kept_total", "")
    try await database.write { transaction in
      try transaction.put(tree, [1], [])
      transaction.observeCommit(CommitObserver(didEnd: { counter.add() }))
    }
    #expect(counter.current == 1)
    await #expect(throws: Refused.self) {
      try await database.write { transaction in
        transaction.observeCommit(CommitObserver(didEnd: { counter.add() }))
        throw Refused()
      }
    }
    #expect(counter.current == 1)
  }

  @Test func refusesKeysAndValuesThatAreTooLarge() async throws {
    let database = try folder.open()
    let tree = try database.tree("a")
    await #expect(throws: LocalDBError.tooLarge(bytes: 8193, max: 8192)) {
      try await database.write { try $0.put(tree, [UInt8](repeating: 1, count: 8193), []) }
    }
    try await database.write { try $0.put(tree, [UInt8](repeating: 1, count: 8192), []) }
  }

  @Test func aClosedDatabaseSaysSo() async throws {
    let database = try folder.open()
    let tree = try database.tree("a")
    database.close()
    #expect(throws: LocalDBError.closed) { try database.get(tree, [1]) }
    await #expect(throws: LocalDBError.closed) {
      try await database.write { try $0.delete(tree, [1]) }
    }
  }

  @Test func anAbandonedDatabaseIsAsAKilledProcessLeavesIt() async throws {
    let database = try folder.open("meta", .inline)
    let tree = try database.tree("a")
    try await database.write { try $0.put(tree, [1], [2]) }
    database.abandon()
    #expect(throws: LocalDBError.closed) { try database.get(tree, [1]) }
    await #expect(throws: LocalDBError.closed) {
      try await database.write { try $0.delete(tree, [1]) }
    }
    // The log is still there, and the folder is free.
    let copy = FolderCopy(of: folder.path + "/meta")
    #expect(copy.names.contains("metadata.sqlite-wal"))
    let again = try folder.open("meta", .inline)
    #expect(again.incarnation == database.incarnation)
    #expect(try again.get(try again.tree("a"), [1]) == [2])
  }
}
