import Base
import Layout
import LocalDB
import SimulatedCluster
import SimulatedWorld
import Synchronization
import Tables
import Testing

/// One rule of the change feed at a time.
@Suite struct FeedTests {
  private func row(_ milliseconds: Int64, _ value: String?) -> Register {
    FeedCluster.row(milliseconds, value)
  }

  // MARK: Cursors

  /// 300 rows are merged in three transactions; the reader dies at any moment.
  @Test(arguments: (0..<16).map { UInt64($0) &* 6151 &+ 1 })
  func aCursorIsNeverAheadOfTheRowsBeforeIt(seed: UInt64) throws {
    let cluster = try FeedCluster(seed: seed, holders: 2)
    try cluster.runtime.run {
      for number in 0..<300 { try await cluster.put("\(number)", row(1, "x"), on: [0]) }
      cluster.start()
      // Mostly between the arrival of the rows and the last commit.
      try await cluster.runtime.sleep(
        for: cluster.runtime.worldRandom.duration(in: .milliseconds(80) ... .milliseconds(400)))
      try cluster.restart(1)
      #expect(try cluster.cursorFaults(1, of: 0) == [], "seed \(seed)")
      #expect(try cluster.nodes[1].replica.feedFaults() == [], "seed \(seed)")
      cluster.start([1])
      try await cluster.pass(20)
      #expect(try cluster.nodes[1].rows().count == 300, "seed \(seed)")
      #expect(try cluster.differences() == [], "seed \(seed)")
      await cluster.stop()
    }
  }

  @Test(arguments: [UInt64(1), 2, 3, 4])
  func aCursorIsReportedOnlyOnceItIsDurable(seed: UInt64) throws {
    let cluster = try FeedCluster(seed: seed, holders: 2)
    let reports = Counter()
    try cluster.runtime.run {
      cluster.nodes[1].host.commitDelay = .milliseconds(50) ... .milliseconds(400)
      let (reader, source, partition) = (cluster.nodes[1], cluster.nodes[0], cluster.partition)
      reader.network.didAnswer.withLock {
        $0 = { _, step in
          guard case .heads(let request) = step else { return }
          for report in request.reports where report.partition == partition {
            reports.add()
            let durable = try reader.cursor(of: source, partition)
            #expect((durable?.sequence ?? 0) >= (report.cursor?.sequence ?? 0), "seed \(seed)")
          }
        }
      }
      cluster.start()
      for number in 0..<30 {
        try await cluster.put("\(number)", row(1, "x"), on: [0])
        try await cluster.pass(2)
      }
      await cluster.stop()
    }
    #expect(reports.value > 5)
  }

  /// A batch of rows whose commit fails takes its cursor with it.
  @Test func aCommitThatFailsMovesNoCursor() throws {
    let cluster = try FeedCluster(seed: 5, holders: 2)
    try cluster.runtime.run {
      let reader = cluster.nodes[1]
      try await cluster.put("a", row(1, "x"), on: [0])
      // A row that the reader cannot merge: its hook throws.
      try await cluster.put("b", row(1, "x"), on: [1])
      try await cluster.put("b", row(2, "x"), on: [0])
      let failures = Counter()
      reader.network.didAnswer.withLock {
        $0 = { _, step in
          guard case .rows = step else { return }
          if failures.add() < 3 { throw NotReached() }
        }
      }
      cluster.start()
      try await cluster.runtime.sleep(for: .milliseconds(500))
      #expect(try reader.cursor(of: cluster.nodes[0], cluster.partition) == nil)
      try await cluster.pass(20)
      #expect(try reader.cursor(of: cluster.nodes[0], cluster.partition)?.sequence == 2)
      #expect(try cluster.differences() == [])
      await cluster.stop()
    }
  }

  // MARK: The feed of one database

  @Test(arguments: [UInt64(1), 2, 3, 4])
  func aRowHasOneEntryAndSequencesNeverGoBack(seed: UInt64) throws {
    let cluster = try FeedCluster(seed: seed, holders: 1)
    try cluster.runtime.run {
      let random = cluster.runtime.worldRandom
      var last: UInt64 = 0
      for life in 0..<8 {
        for step in 0..<random.below(20) {
          let time = Int64(life * 100 + step + 1)
          let value = random.below(3) == 0 ? nil : "\(time)"
          try await cluster.put("\(random.below(6))", row(time, value), on: [0])
          let sequence = cluster.nodes[0].replica.feed.last
          #expect(sequence > last, "seed \(seed)")
          last = sequence
        }
        // Also the newest entries go, and their numbers are not given again.
        if random.below(2) == 0 {
          _ = try await cluster.nodes[0].replica.collectTombstones(
            of: cluster.partition, upTo: .max)
        }
        #expect(try cluster.nodes[0].replica.feedFaults() == [], "seed \(seed)")
        try cluster.restart(0)
        #expect(cluster.nodes[0].replica.feed.last == last, "seed \(seed)")
      }
    }
  }

  @Test func aStartWithoutChangesIsNotKept() throws {
    let cluster = try FeedCluster(seed: 1, holders: 1)
    @Sendable func starts() throws -> [UInt64] {
      var starts: [UInt64] = []
      let database = cluster.nodes[0].database
      try database.scan(database.tree("feed_start")) { key, _ in
        starts.append(key.reduce(0) { $0 << 8 | UInt64($1) })
        return true
      }
      return starts
    }
    try cluster.runtime.run {
      let first = cluster.nodes[0].replica.feed.start
      for _ in 0..<5 { try cluster.restart(0) }
      #expect(try starts().isEmpty)
      #expect(cluster.nodes[0].replica.feed.start != first)
      try await cluster.put("a", row(1, "x"), on: [0])
      for _ in 0..<5 { try cluster.restart(0) }
      #expect(try starts() == [1])
      try await cluster.put("b", row(2, "x"), on: [0])
      #expect(try starts() == [1, 2])
    }
  }

  // MARK: A database that went back

  private static func report(_ cursor: FeedCursor, _ partition: UInt16) -> HeadsRequest {
    let position = FeedPosition(partition: partition, cursor: cursor)
    return HeadsRequest(layout: 1, since: 0, isCatchingUp: false, reports: [position])
  }

  @Test func aCursorOfNoStartMarksTheSource() throws {
    let strange = FeedStart(high: 1, low: 2)
    try checkLoss([(.of(strange, 1), true), (.of(strange, 0), false)])
  }

  /// Two changes in the first start, three in the second.
  @Test func aCursorPastTheEndOfItsStartMarksTheSource() throws {
    try checkLoss([
      (.first(1), false), (.first(2), false), (.first(3), true), (.second(2), false),
      (.second(5), false), (.second(6), true), (.second(1), true),
    ])
  }

  private enum Reported {
    case first(UInt64)
    case second(UInt64)
    case of(FeedStart, UInt64)
  }

  private func checkLoss(_ cases: [(Reported, isLoss: Bool)]) throws {
    for byFeed in [false, true] {
      for (reported, isLoss) in cases {
        let cluster = try FeedCluster(seed: 1, holders: 2)
        try cluster.runtime.run {
          let first = cluster.nodes[0].replica.feed.start
          for number in 0..<2 { try await cluster.put("\(number)", row(1, "x"), on: [0]) }
          try cluster.restart(0)
          let second = cluster.nodes[0].replica.feed.start
          for number in 2..<5 { try await cluster.put("\(number)", row(1, "x"), on: [0]) }
          let cursor =
            switch reported {
            case .first(let sequence): FeedCursor(start: first, sequence: sequence)
            case .second(let sequence): FeedCursor(start: second, sequence: sequence)
            case .of(let start, let sequence): FeedCursor(start: start, sequence: sequence)
            }
          let (source, reader) = (cluster.nodes[0].sync.source, cluster.nodes[1].id)
          let partition = cluster.partition
          if byFeed {
            let position = FeedPosition(partition: partition, cursor: cursor)
            let answer = try source.feed(.init(layout: 1, positions: [position]), from: reader)
            #expect(answer.parts.map(\.mustStartOver) == [isLoss], "\(reported)")
          } else {
            let answer = source.heads(Self.report(cursor, partition), from: reader)
            #expect(answer.hasLostRows == isLoss, "\(reported)")
          }
          #expect(cluster.nodes[0].replica.hasLostRows == isLoss, "\(reported)")
          // What it cannot have read counts for nothing.
          #expect(source.readByAll([reader], partition) == (isLoss ? nil : cursor.sequence))
        }
      }
    }
  }

  @Test func aNodeWhoseDiskWasPutBackIsFoundOutByAReader() throws {
    let cluster = try FeedCluster(seed: 3, holders: 3)
    try cluster.runtime.run {
      cluster.start()
      try await cluster.put("a", row(1, "x"), on: [0, 1, 2])
      try await cluster.pass(10)
      cluster.cut(0)
      cluster.nodes[0].host.kill()
      let copy = cluster.nodes[0].host.copyFolder()
      cluster.nodes[0].host.start()
      try cluster.restart(0)
      cluster.start([0])
      try await cluster.put("b", row(1, "x"), on: [0])
      try await cluster.pass(10)
      #expect(try cluster.nodes[1].rows().count == 2)
      try cluster.restart(0, rollingBackTo: { cluster.nodes[0].host.rollBack(to: copy) })
      #expect(!cluster.nodes[0].replica.hasLostRows)
      cluster.start([0])
      try await cluster.pass(10)
      #expect(cluster.nodes[0].replica.hasLostRows)
      #expect(cluster.nodes[0].sync.whyNotServing != nil)
      #expect(!cluster.nodes[1].replica.hasLostRows)
      await cluster.stop()
    }
  }

  // MARK: What catching up costs

  @Test func nothingIsFetchedThatAWriteHasBrought() throws {
    let cluster = try FeedCluster(seed: 4)
    try cluster.runtime.run {
      for number in 0..<200 { try await cluster.put("\(number)", row(1, "x"), on: [0, 1, 2]) }
      cluster.start()
      try await cluster.pass(30)
      let counts = cluster.nodes.map(\.counts)
      #expect(counts.map(\.rows) == [0, 0, 0])
      #expect(counts.map(\.entries) == [400, 400, 400])
      #expect(try cluster.differences() == [])
      await cluster.stop()
    }
  }

  @Test func aNodeThatWasAwayReadsOnlyWhatChanged() throws {
    let cluster = try FeedCluster(seed: 4)
    try cluster.runtime.run {
      for number in 0..<200 { try await cluster.put("\(number)", row(1, "x"), on: [0, 1, 2]) }
      cluster.start()
      try await cluster.pass(30)
      cluster.cut(2)
      cluster.cut(1)
      let before = cluster.nodes.map(\.counts)
      for number in 0..<7 { try await cluster.put("\(number)", row(2, "y"), on: [0, 1]) }
      cluster.connect(1)
      try await cluster.pass(10)
      cluster.connect(2)
      try await cluster.pass(20)
      let counts = cluster.nodes[2].counts
      // Once from each source at most: they are read side by side.
      #expect((7...14).contains(counts.rows - before[2].rows))
      #expect(counts.entries - before[2].entries == 14)
      #expect(cluster.nodes[..<2].map(\.counts.rows) == [0, 0])
      #expect(try cluster.differences() == [])
      #expect(cluster.nodes.allSatisfy { !$0.sync.isCatchingUp && $0.sync.whyNotServing == nil })
      await cluster.stop()
    }
  }

  @Test func feedsFallSilent() throws {
    let cluster = try FeedCluster(seed: 5)
    try cluster.runtime.run {
      cluster.start()
      for number in 0..<20 {
        try await cluster.put("\(number)", row(1, "x"), on: [number % 3])
      }
      try await cluster.pass(60)
      #expect(try cluster.differences() == [])
      @Sendable func asked() -> [Int] {
        cluster.nodes.map { node in
          let asked = node.network.asked
          return asked.heads + asked.feeds + asked.rows
        }
      }
      let before = asked()
      try await cluster.pass(600)
      #expect(asked() == before)
      await cluster.stop()
    }
  }

  /// With other traffic there are no pings: then a source is asked every 2.5 s.
  @Test func withoutPingsASourceIsAskedNowAndThen() throws {
    let cluster = try FeedCluster(seed: 6, holders: 2)
    try cluster.runtime.run {
      cluster.start()
      try await cluster.runtime.sleep(for: .seconds(10))
      let before = cluster.nodes[1].network.asked.heads
      try await cluster.put("a", row(1, "x"), on: [0])
      try await cluster.runtime.sleep(for: .seconds(60))
      #expect((20...30).contains(cluster.nodes[1].network.asked.heads - before))
      #expect(try cluster.nodes[1].rows().count == 1)
      await cluster.stop()
    }
  }

  /// What a round found out before the connection was lost says nothing of the next one.
  @Test func aConnectionLostWithinARoundIsReadFromTheBeginningAgain() throws {
    let cluster = try FeedCluster(seed: 7, holders: 2)
    try cluster.runtime.run {
      try await cluster.put("a", row(1, "x"), on: [0])
      let didHappen = Flag()
      cluster.nodes[1].network.didAnswer.withLock {
        $0 = { _, step in
          guard case .rows = step, didHappen.set() else { return }
          cluster.cut(1)
        }
      }
      cluster.start()
      try await cluster.pass(4)
      cluster.connect(1)
      try await cluster.pass(20)
      #expect(didHappen.isSet)
      #expect(!cluster.nodes[1].sync.isCatchingUp)
      #expect(cluster.nodes[1].sync.whyNotServing == nil)
      #expect(cluster.nodes[0].sync.source.isCatchingUp(cluster.nodes[1].id) == false)
      await cluster.stop()
    }
  }

  // MARK: Floors

  /// The source shows a row that a tombstone deletes, which the reader has and drops before it merges.
  @Test func anAnswerAskedForAtALowerFloorIsThrownAwayAndAskedForAgain() throws {
    let cluster = try FeedCluster(seed: 8, holders: 2)
    try cluster.runtime.run {
      let (source, reader) = (cluster.nodes[0], cluster.nodes[1])
      try await cluster.put("a", row(1, "old"), on: [0])
      try await cluster.put("b", row(1, "other"), on: [0])
      let didHappen = Flag()
      reader.network.didAnswer.withLock {
        $0 = { _, step in
          guard case .rows = step, didHappen.set() else { return }
          // By now the source knows of the delete too, and has told so: the tombstone may go.
          try await cluster.put("a", FeedCluster.row(2, nil), on: [0, 1])
          let collected = try await reader.replica.collectTombstones(
            of: cluster.partition, upTo: .max)
          #expect(collected.dropped == 1)
        }
      }
      cluster.start([1])
      try await cluster.pass(20)
      #expect(didHappen.isSet)
      #expect(reader.counts.thrownAway == 1)
      #expect(try reader.rows()["a"]?.value == nil)
      #expect(try reader.rows()["b"]?.value == "other")
      #expect(try cluster.cursorFaults(1, of: 0) == [])
      #expect(try source.rows()["a"]?.value == nil)
      await cluster.stop()
    }
  }

  /// A client's write below the floor is stale; a row of a feed was accepted somewhere, and is taken.
  @Test func aRowOfAFeedIsTakenBelowTheFloor() throws {
    let cluster = try FeedCluster(seed: 9, holders: 2)
    try cluster.runtime.run {
      let reader = cluster.nodes[1]
      try await cluster.put("gone", row(9, nil), on: [1])
      _ = try await reader.replica.collectTombstones(of: cluster.partition, upTo: .max)
      let below = (cluster.key("a"), row(5, "x"))
      #expect(
        try await reader.local.merge([below], origin: .client) == .stale(Timestamp(milliseconds: 9))
      )
      try await cluster.put("a", row(5, "x"), on: [0])
      cluster.start()
      try await cluster.pass(20)
      #expect(try reader.rows()["a"]?.value == "x")
      await cluster.stop()
    }
  }

  // MARK: Tombstones

  @Test func aTombstoneStaysUntilEveryHolderHasReadPastItForAnHour() throws {
    let cluster = try FeedCluster(seed: 10)
    try cluster.runtime.run {
      cluster.start()
      try await cluster.put("a", row(1, "x"), on: [0, 1, 2])
      try await cluster.pass(10)
      cluster.cut(2)
      try await cluster.put("a", row(2, nil), on: [0, 1])
      let collector = cluster.nodes[0].now.collector
      // A holder is away: it stays for ever.
      for _ in 0..<12 {
        #expect(try await collector.collect() == 0)
        try await cluster.pass(600)
      }
      cluster.connect(2)
      try await cluster.pass(20)
      #expect(try await collector.collect() == 1)
      #expect(try cluster.nodes[0].rows().isEmpty)
      // Who was away learns of the delete as long as somebody has not read past it.
      #expect(try cluster.nodes[2].rows()["a"]?.value == nil)
      await cluster.stop()
    }
  }

  @Test func aTombstoneStaysForAnHourOfTheNodesOwnTime() throws {
    let cluster = try FeedCluster(seed: 11, holders: 1)
    try cluster.runtime.run {
      cluster.start()
      try await cluster.put("a", row(2, nil), on: [0])
      let node = cluster.nodes[0]
      #expect(try await node.now.collector.collect() == 0)
      node.host.stepClock(by: .seconds(10 * 365 * 86_400))
      try await cluster.runtime.sleep(for: .seconds(3_000))
      #expect(try await node.now.collector.collect() == 0)
      // An hour in which the node does not run is none.
      try await node.now.time.save()
      await cluster.stop()
      try cluster.restart(0)
      cluster.start()
      try await cluster.runtime.sleep(for: .seconds(500))
      #expect(try await cluster.nodes[0].now.collector.collect() == 0)
      try await cluster.runtime.sleep(for: .seconds(200))
      #expect(try await cluster.nodes[0].now.collector.collect() == 1)
      await cluster.stop()
    }
  }

  // MARK: Copies without a vote

  /// Holders do not wait for a copy: what they dropped meanwhile it cannot learn, and begins with nothing.
  private func leaveTheCopyBehind(_ cluster: FeedCluster) async throws {
    cluster.start()
    for name in ["gone", "stays"] { try await cluster.put(name, row(1, "x"), on: [0, 1, 2]) }
    try await cluster.pass(20)
    #expect(try cluster.nodes[3].rows().count == 2)
    cluster.cut(3)
    try await cluster.put("gone", row(2, nil), on: [0, 1, 2])
    try await cluster.pass(20)
    for index in [0, 1, 2] {
      let collected = try await cluster.nodes[index].replica.collectTombstones(
        of: Partition.everywhere, upTo: .max)
      #expect(collected.dropped == 1)
    }
    try await cluster.put("new", row(3, "y"), on: [0, 1, 2])
  }

  @Test(arguments: (0..<8).map { UInt64($0) &* 389 &+ 2 })
  func aCopyThatAsksFromBelowADroppedTombstoneStartsOverAtOnce(seed: UInt64) throws {
    let cluster = try FeedCluster(seed: seed, copies: 1, isFullyReplicated: true)
    try cluster.runtime.run {
      try await leaveTheCopyBehind(cluster)
      let copy = cluster.nodes[3]
      copy.host.commitDelay = .milliseconds(2) ... .milliseconds(50)
      let sources = cluster.nodes[..<3]
      let old = try sources.map { try copy.cursor(of: $0, Partition.everywhere) }
      #expect(old.allSatisfy { $0 != nil })
      let samples = Mutex<[[Bool]]>([])
      let isOver = Flag()
      let sampling = cluster.runtime.spawn {
        while !isOver.isSet {
          let hasRow = (try? copy.rows()["gone"]) != nil
          let has = sources.map { (try? copy.cursor(of: $0, Partition.everywhere)) ?? nil != nil }
          samples.withLock { if $0.last != [hasRow] + has { $0.append([hasRow] + has) } }
          try? await cluster.runtime.sleep(for: .microseconds(200))
        }
      }
      cluster.connect(3)
      try await cluster.pass(30)
      isOver.set()
      await sampling.value
      // First everything is there, then nothing: rows and the cursors of all sources go together.
      let seen = samples.withLock { $0 }
      #expect(seen.first == [true, true, true, true], "seed \(seed)")
      #expect(seen.dropFirst().first == [false, false, false, false], "seed \(seed)")
      #expect(copy.counts.startedOver >= 1, "seed \(seed)")
      #expect(try cluster.differences() == [], "seed \(seed)")
      #expect(!copy.sync.isCatchingUp && copy.sync.whyNotServing == nil, "seed \(seed)")
      await cluster.stop()
    }
  }

  /// One source answers from where the copy was, while another lets it start over.
  @Test func anAnswerFromACursorThatIsNotTheStoredOneAnyMoreIsThrownAway() throws {
    let cluster = try FeedCluster(seed: 12, copies: 1, isFullyReplicated: true)
    try cluster.runtime.run {
      try await leaveTheCopyBehind(cluster)
      let copy = cluster.nodes[3]
      let slow = cluster.nodes[0].id
      let didHappen = Flag()
      copy.network.didAnswer.withLock {
        $0 = { node, step in
          guard case .feed(let answer) = step, node == slow,
            didHappen.set()
          else { return }
          // Not one that says so itself.
          #expect(answer.parts.allSatisfy { !$0.mustStartOver })
          while copy.counts.startedOver == 0 {
            try await cluster.runtime.sleep(for: .milliseconds(5))
          }
        }
      }
      // This source has dropped nothing that the copy has not read.
      let database = cluster.nodes[0].database
      let dropped = try database.tree("feed_dropped")
      try await database.write { try $0.delete(dropped, [1, 0]) }
      cluster.connect(3)
      try await cluster.pass(30)
      #expect(didHappen.isSet)
      #expect(copy.counts.thrownAway >= 1)
      #expect(try cluster.differences() == [])
      #expect(copy.sync.whyNotServing == nil)
      await cluster.stop()
    }
  }

  // MARK: Hashes

  /// BLAKE2b of 16 bytes keyed with the secret, as Python's hashlib has it.
  @Test func theHashOfARowIsTheDocumentedOne() throws {
    let cluster = try FeedCluster(seed: 14, holders: 2)
    try cluster.runtime.run {
      try await cluster.put("k", row(5, "v"), on: [0])
      let answer = try cluster.nodes[0].sync.source.feed(
        .init(layout: 1, positions: [.init(partition: cluster.partition, cursor: nil)]),
        from: cluster.nodes[1].id)
      #expect(
        answer.parts.first?.entries.map(\.hash)
          == [RowHash(high: 0xFD68_22B4_65C6_3999, low: 0x1248_308C_127D_5117)])
    }
  }

  // MARK: Comparing

  @Test func replicasThatDifferAlthoughBothHaveReadAllAreReported() throws {
    let cluster = try FeedCluster(seed: 13, holders: 2)
    try cluster.runtime.run {
      cluster.start()
      try await cluster.put("a", row(1, "x"), on: [0, 1])
      try await cluster.put("b", row(1, "x"), on: [0])
      try await cluster.pass(16_000)
      #expect(cluster.nodes.allSatisfy { $0.sync.differences.isEmpty })
      // A row that is gone from a disk, behind the feed's back.
      let (database, key) = (cluster.nodes[1].database, cluster.key("a").diskKey)
      let rows = try database.tree("register")
      try await database.write { try $0.delete(rows, key) }
      try await cluster.pass(16_000)
      for (node, other) in [(0, 1), (1, 0)] {
        let found = cluster.nodes[node].sync.differences
        #expect(found.map(\.node) == [cluster.nodes[other].id])
        #expect(found.map(\.partition) == [cluster.partition])
        #expect(found.map(\.ownRows) == [node == 0 ? 2 : 1])
        #expect(found.map(\.otherRows) == [node == 0 ? 1 : 2])
      }
      await cluster.stop()
    }
  }
}
