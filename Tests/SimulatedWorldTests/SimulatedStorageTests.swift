import Base
import LocalDB
import SimulatedWorld
import Synchronization
import Testing

@Suite("Simulated storage")
struct SimulatedStorageTests {
  private static let key: [UInt8] = [1]

  /// The database of `host` and a tree in it.
  private func open(_ host: SimulatedHost) throws -> (LocalDatabase, Tree) {
    let database = try LocalDatabase.open(host.databaseOptions(), random: host.random)
    return (database, try database.tree("test"))
  }

  @Test("lets a commit take time, with the old state to be read meanwhile")
  func commitDelay() throws {
    try SimulatedRuntime.withWorld(seed: 1) { world in
      let host = world.addHost("a")
      host.commitDelay = .milliseconds(10) ... .milliseconds(10)
      try await host.run {
        let (database, tree) = try open(host)
        let start = world.now
        let writer = host.spawn {
          do {
            try await database.write { try $0.put(tree, Self.key, [7]) }
          } catch { Issue.record(error) }
        }
        try await host.sleep(for: .milliseconds(9))
        #expect(try database.get(tree, Self.key) == nil)
        await writer.value
        #expect(try database.get(tree, Self.key) == [7])
        #expect(world.now - start >= .milliseconds(10) && world.now - start < .milliseconds(11))
      }
      #expect(world.counters.commits == 1)
    }
  }

  @Test("shows a commit before its caller is answered, to some")
  func visibleBeforeAnswer() throws {
    var seen = 0
    for seed: UInt64 in 1...20 {
      seen += try SimulatedRuntime.withWorld(seed: seed) { world in
        let host = world.addHost("a")
        return try await host.run {
          let (database, tree) = try open(host)
          let isAnswered = Flag()
          host.spawn {
            try? await database.write { try $0.put(tree, Self.key, [7]) }
            isAnswered.set()
          }
          while try database.get(tree, Self.key) == nil {
            try await host.sleep(for: .microseconds(20))
          }
          return isAnswered.isSet ? 0 : 1
        }
      }
    }
    #expect(seen > 10)
  }

  @Test("commits what has gathered as one, and fails what fails alone")
  func group() throws {
    try SimulatedRuntime.withWorld(seed: 2) { world in
      let host = world.addHost("a")
      try await host.run {
        let (database, tree) = try open(host)
        await withTaskGroup(of: Void.self) { group in
          for number: UInt8 in 0..<50 {
            group.addTask {
              do {
                try await database.write { transaction in
                  try transaction.put(tree, [number], [number])
                  if number % 10 == 3 { throw Refused() }
                }
                #expect(number % 10 != 3)
              } catch { #expect(error is Refused && number % 10 == 3) }
            }
          }
        }
        var count = 0
        try database.scan(tree) { _, _ in
          count += 1
          return true
        }
        #expect(count == 45)
        // Holding the thread, a write passes those that wait, once they are done.
        host.spawn { try? await database.write { try $0.put(tree, [200], [1]) } }
        try await host.sleep(for: .microseconds(1))
        let found = try database.writeBlocking { try $0.get(tree, [200]) }
        #expect(found == [1])
        database.close()
      }
      #expect(world.counters.commits < 10)
    }
  }

  @Test("loses at a kill what was not committed, and keeps what was", arguments: [false, true])
  func killed(isPowerCut: Bool) throws {
    var lost = 0
    var kept = 0
    for seed: UInt64 in 1...60 {
      let counts = try SimulatedRuntime.withWorld(seed: seed) { world in
        let host = world.addHost("a")
        host.commitDelay = .zero ... .milliseconds(1)
        let answered = Numbers()
        let incarnation = try await host.run {
          let (database, tree) = try open(host)
          for writer: UInt8 in 0..<4 {
            host.spawn {
              for number: UInt8 in 0..<250 {
                try? await database.write { try $0.put(tree, [writer, number], []) }
                answered.add([writer, number])
              }
            }
          }
          return database.incarnation
        }
        try await world.sleep(for: world.worldRandom.duration(in: .zero ... .milliseconds(40)))
        if isPowerCut { host.cutPower() } else { host.kill() }
        let answers = answered.all
        try await world.sleep(for: .seconds(10))
        #expect(answered.all == answers, "seed \(seed)")
        host.start()
        return try await host.run {
          let (database, tree) = try open(host)
          #expect(database.incarnation == incarnation)
          var found: [[UInt8]] = []
          try database.scan(tree) { key, _ in
            found.append([UInt8](key))
            return true
          }
          #expect(Set(found).isSuperset(of: answers), "seed \(seed)")
          #expect(found.count <= answers.count + 4, "seed \(seed)")
          return (lost: world.counters.lostCommits, kept: found.count - answers.count)
        }
      }
      lost += counts.lost
      kept += counts.kept
    }
    #expect(lost > 5)
    // Committed, and nobody was told.
    #expect(kept > 0)
  }

  @Test("fails the writes of those who outlive the database")
  func outlived() throws {
    try SimulatedRuntime.withWorld(seed: 3) { world in
      let host = world.addHost("a")
      let (database, tree) = try open(host)
      world.at(world.now + .microseconds(500)) { host.kill() }
      await #expect(throws: LocalDBError.self) {
        try await database.write { try $0.put(tree, Self.key, [7]) }
      }
      await #expect(throws: LocalDBError.self) {
        try await database.write { try $0.put(tree, Self.key, [7]) }
      }
      #expect(throws: LocalDBError.self) { try database.get(tree, Self.key) }
    }
  }

  @Test("puts back what a folder held")
  func rollback() throws {
    try SimulatedRuntime.withWorld(seed: 4) { world in
      let host = world.addHost("a")
      func write(_ value: UInt8) async throws {
        try await host.run {
          let (database, tree) = try open(host)
          try await database.write { try $0.put(tree, Self.key, [value]) }
        }
      }
      try await write(1)
      host.kill()
      let copy = host.copyFolder()
      host.start()
      try await write(2)
      host.kill()
      host.start()
      try await host.run {
        let (database, tree) = try open(host)
        #expect(try database.get(tree, Self.key) == [2])
      }
      host.kill()
      host.rollBack(to: copy)
      host.start()
      try await host.run {
        let (database, tree) = try open(host)
        #expect(try database.get(tree, Self.key) == [1])
      }
      #expect(world.counters.rollbacks == 1)
    }
  }
}

private struct Refused: Error {}

private final class Flag: Sendable {
  private let value = Mutex(false)
  var isSet: Bool { value.withLock { $0 } }
  func set() { value.withLock { $0 = true } }
}

private final class Numbers: Sendable {
  private let list = Mutex<[[UInt8]]>([])
  var all: [[UInt8]] { list.withLock { $0 } }
  func add(_ number: [UInt8]) { list.withLock { $0.append(number) } }
}
