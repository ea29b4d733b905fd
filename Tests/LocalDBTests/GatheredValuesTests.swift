import Base
import LocalDB
import SimulatedWorld
import Synchronization
import TestStorage
import Testing

/// Trees whose changes the writer keeps in memory until the commit behave as the others do.
@Suite struct GatheredValuesTests {
  private struct Refused: Error {}

  let folder = TemporaryFolder()

  /// How many of `bodies` are kept.
  private func together(
    _ database: LocalDatabase, _ bodies: [@Sendable (WriteTransaction) throws -> Void]
  ) async -> Int {
    let answers = await LocalDBTests.together(database, bodies)
    #expect(answers.allSatisfy { $0 is Refused? })
    return answers.count { $0 == nil }
  }

  private static func pairs(
    _ transaction: ReadTransaction, _ tree: Tree
  ) throws -> [[UInt8]] {
    var found: [[UInt8]] = []
    try transaction.scan(tree) { key, value in
      found.append(Array(key) + Array(value))
      return true
    }
    return found
  }

  @Test(arguments: 0..<20)
  func holdWhatAnOrdinaryTreeHolds(seed: UInt64) async throws {
    let random = SeededRandom(seed: seed)
    let database = try folder.open()
    let plain = try database.tree("plain")
    let gathering = try database.tree("gathering", gathering: true)
    for _ in 0..<8 {
      let bodies = (0..<24).map { _ in
        let steps = (0..<4).map { _ in (random.next() % 5, UInt8(random.next() % 6)) }
        let fails = random.next() % 4 == 0
        return { @Sendable (transaction: WriteTransaction) throws in
          for (kind, key) in steps {
            let value = try transaction.get(plain, [key])
            #expect(try transaction.get(gathering, [key]) == value)
            switch kind {
            case 0:
              try transaction.delete(plain, [key])
              try transaction.delete(gathering, [key])
            case 1:
              let expected = try Self.pairs(transaction, plain)
              #expect(try Self.pairs(transaction, gathering) == expected)
            default:
              let next = [(value?.first ?? 0) &+ 1, key]
              try transaction.put(plain, [key], next)
              try transaction.put(gathering, [key], next)
            }
          }
          if fails { throw Refused() }
        }
      }
      _ = await together(database, bodies)
      try database.read { transaction in
        let expected = try Self.pairs(transaction, plain)
        #expect(try Self.pairs(transaction, gathering) == expected)
      }
    }
    #expect(try database.integrityFaults().isEmpty)
    database.close()
    let again = try folder.open()
    try again.read { transaction in
      let expected = try Self.pairs(transaction, again.tree("plain"))
      #expect(try Self.pairs(transaction, again.tree("gathering")) == expected)
    }
  }

  /// Also of bodies that others follow and that changed nothing, neither run again nor in the way of anyone.
  @Test(.timeLimit(.minutes(1)))
  func everyBodyIsAnsweredWhateverFailsInItsTransaction() async throws {
    let database = try folder.open()
    let plain = try database.tree("plain")
    let gathering = try database.tree("gathering", gathering: true)
    for round in 0..<8 {
      let bodies = (0..<32).map { number in
        { @Sendable (transaction: WriteTransaction) throws in
          switch (number + round) % 4 {
          case 0: throw Refused()
          case 1: try transaction.put(plain, [UInt8(number)], [UInt8(round)])
          case 2:
            try transaction.put(gathering, [UInt8(number)], [UInt8(round)])
            throw Refused()
          default:
            if round >= 4 { try transaction.put(plain, [UInt8(number)], [0xFF]) }
            throw Refused()
          }
        }
      }
      #expect(await together(database, bodies) == 8)
    }
    try database.read { transaction in
      let stored = try Self.pairs(transaction, plain)
      #expect(stored.allSatisfy { $0[1] != 0xFF })
      #expect(try Self.pairs(transaction, gathering).isEmpty)
    }
  }

  @Test func countOnlyBodiesThatAreKept() async throws {
    let database = try folder.open()
    let tree = try database.tree("count", gathering: true)
    var expected = 0
    for round in 0..<20 {
      let bodies = (0..<32).map { number in
        { @Sendable (transaction: WriteTransaction) throws in
          let count = try transaction.get(tree, [1])?.first ?? 0
          try transaction.put(tree, [1], [count &+ 1])
          if (number + round) % 3 == 0 { throw Refused() }
        }
      }
      expected += await together(database, bodies)
      #expect(try database.get(tree, [1]) == [UInt8(truncatingIfNeeded: expected)])
    }
  }

  @Test func aCommitThatChangesNothingElseIsCounted() async throws {
    let database = try folder.open()
    let tree = try database.tree("count", gathering: true)
    try await database.write { try $0.put(tree, [1], [1]) }
    try await database.write { try $0.delete(tree, [1]) }
    #expect(database.commitNumber == 2)
    #expect(try database.get(tree, [1]) == nil)
  }

  /// Of bodies that share a transaction: those that changed what is in memory are undone there, the others take
  /// running the batch again.
  @Test(arguments: [true, false])
  func nobodyIsToldOfABodyThatWasUndone(gathers: Bool) async throws {
    let database = try folder.open()
    let tree = try database.tree("a", gathering: gathers)
    for round in 0..<8 {
      let told = Told()
      let bodies = (0..<32).map { number in
        { @Sendable (transaction: WriteTransaction) throws in
          try transaction.put(tree, [UInt8(number)], [UInt8(round)])
          transaction.observeCommit(
            CommitObserver(
              willCommit: { told.add("will", number) }, wasUndone: { told.add("undone", number) },
              didEnd: { told.add("did", number) }))
          told.add("ran", number)
          if (number + round) % 3 == 0 { throw Refused() }
        }
      }
      #expect(await together(database, bodies) > 0)
      let kept = (0..<32).filter { ($0 + round) % 3 != 0 }
      for event in ["will", "did"] {
        #expect(told.all(event).sorted() == kept, "\(event), round \(round)")
      }
      // As often as a body ran and was not committed.
      #expect(
        told.all("ran").sorted() == (told.all("undone") + kept).sorted(), "round \(round)")
    }
  }

  private final class Told: Sendable {
    private let numbers = Mutex<[String: [Int]]>([:])

    func add(_ event: String, _ number: Int) {
      numbers.withLock { $0[event, default: []].append(number) }
    }

    func all(_ event: String) -> [Int] { numbers.withLock { $0[event] ?? [] } }
  }
}
