import Base
import Codecs
import Mesh
import SimulatedWorld
import Tables
import Testing

/// The examples of docs/formats/table-messages.md, and what is decoded of any bytes.
@Suite struct MessageTests {
  private func encoded(_ message: some MeshMessage) -> String {
    var writer = BinaryWriter()
    message.write(to: &writer)
    return Hex.encode(writer.bytes)
  }

  /// Compares with the page's bytes, and reads them again, also with a field of a later version behind them.
  private func check<Message: MeshMessage & Equatable>(
    _ message: Message, _ parts: String..., sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let expected = parts.joined().replacing(" ", with: "")
    #expect(encoded(message) == expected, sourceLocation: sourceLocation)
    for later in [[], [0xEE, 1]] as [[UInt8]] {
      let bytes = try #require(Hex.decode(expected)) + later
      let read = try BinaryReader.read(bytes) {
        (reader: inout BinaryReader) throws(BinaryError) in try Message(&reader)
      }
      #expect(read == message, sourceLocation: sourceLocation)
    }
    let bytes = try #require(Hex.decode(expected))
    for count in 0..<bytes.count {
      #expect(throws: BinaryError.self, sourceLocation: sourceLocation) {
        try BinaryReader.read(Array(bytes.prefix(count))) {
          (reader: inout BinaryReader) throws(BinaryError) in try Message(&reader)
        }
      }
    }
    #expect(throws: BinaryError.unknownVersion(2), sourceLocation: sourceLocation) {
      try BinaryReader.read([2] + bytes.dropFirst()) {
        (reader: inout BinaryReader) throws(BinaryError) in try Message(&reader)
      }
    }
  }

  private let key = RowKey(partitionKey: [1, 2], sortKey: Array("k".utf8))

  private func request(_ body: ReplicaRequest.Body) -> ReplicaRequest {
    ReplicaRequest(
      table: "t", partition: 164, layout: LayoutStamp(newestKnown: 3, readFrom: 2), body: body)
  }

  private let head = "01 0174 00a4 03 02"
  private let noTimes = "0000000000000000 0000000000000000"

  @Test func aReadIsWrittenAsDocumented() throws {
    try check(request(.read([key])), head, noTimes, "00 00 01 020102 016b")
  }

  @Test func aRangeIsWrittenAsDocumented() throws {
    var range = request(
      .range(
        RangeRequest(
          partitionKey: [1, 2], from: Array("a".utf8), to: Array("b".utf8), limit: 1001,
          grouping: DelimiterGrouping(start: 1, delimiter: [0x2F], terminator: [0, 0]))))
    range.companion = CompanionRow(table: "b", row: EncodedRow(key: key, bytes: [0xAA, 0xBB]))
    try check(
      range, head, noTimes, "01 0162 020102 016b 02aabb",
      "01 020102 0161 01 0162 e907 01 01 012f 020000")
  }

  @Test func aMergeIsWrittenAsDocumented() throws {
    var merge = request(.merge([EncodedRow(key: key, bytes: [0xAA, 0xBB])], .repair))
    merge.floor = Timestamp(rawValue: 0x20000)
    try check(
      merge, head, "0000000000000000 0000000000020000", "00 02 01 01 020102 016b 02aabb")
  }

  @Test func anOperationIsWrittenAsDocumented() throws {
    var operation = request(.operate(name: "set", partitionKey: [1, 2], input: [7, 8, 9]))
    operation.above = Timestamp(rawValue: 0x10001)
    try check(
      operation, head, "0000000000010001 0000000000000000", "00 03 03736574 020102 03070809")
  }

  @Test func responsesAreWrittenAsDocumented() throws {
    let floor = Timestamp(rawValue: 0x20000)
    func response(_ body: ReplicaResponse.Body) -> ReplicaResponse {
      ReplicaResponse(body, floor: floor)
    }
    let head = "01 01 0000000000020000 00"
    try check(response(.rows([[0xAA], nil])), head, "00 02 01 01aa 00")
    try check(
      response(
        .range(
          RangeAnswer(
            entries: [
              .init(sortKey: Array("a".utf8), bytes: [0xAA]),
              .init(
                sortKey: Array("b/1".utf8), bytes: [0xBB], group: Array("b/".utf8)),
            ], coveredEnd: Array("c".utf8)))),
      head, "01 02 0161 01aa 00 03622f31 01bb 01 02622f 01 0163")
    try check(response(.answer(.accepted([1]))), head, "02 00 0101")
    try check(
      response(.answer(.stale(Timestamp(rawValue: 0x10001)))), head, "02 01 0000000000010001")
    try check(response(.answer(.refused(code: 256, payload: [5]))), head, "02 02 0100 0105")
    try check(
      ReplicaResponse(.staleLayout([]), countsInQuorum: false, companion: [0xAA, 0xBB]),
      "01 00 0000000000000000", "01 02aabb 03 00")
  }

  private let cursor = FeedCursor(
    start: FeedStart(high: 0x0102_0304_0506_0708, low: 0x090A_0B0C_0D0E_0F10), sequence: 9)
  private let cursorBytes = "0102030405060708090a0b0c0d0e0f10 0000000000000009"
  private let feedRow = FeedRow(table: "t", diskKey: [0xA4, 1, 2, 0x6B])

  @Test func headsAreWrittenAsDocumented() throws {
    try check(
      HeadsRequest(
        layout: 3, since: 300, isCatchingUp: true,
        reports: [.init(partition: 164, cursor: cursor), .init(partition: 256, cursor: nil)]),
      "01 03 ac02 01 02 00a4 01", cursorBytes, "0100 00")
    try check(
      HeadsAnswer(last: 301, hasLostRows: false, heads: [.init(partition: 256, sequence: 301)]),
      "01 ad02 00 01 0100 ad02")
  }

  @Test func feedsAreWrittenAsDocumented() throws {
    try check(
      FeedRequest(layout: 3, positions: [.init(partition: 164, cursor: cursor)]),
      "01 03 01 00a4 01", cursorBytes)
    try check(
      FeedAnswer(parts: [
        .init(
          partition: 164, entries: [.init(row: feedRow, hash: RowHash(high: 1, low: 2))],
          cursor: cursor, isEnd: true),
        .init(partition: 256, mustStartOver: true, cursor: cursor, isEnd: false),
      ]),
      "01 02 00a4 00 01 0174 04a401026b 0000000000000001 0000000000000002", cursorBytes, "01",
      "0100 01 00", cursorBytes, "00")
  }

  @Test func rowsAreWrittenAsDocumented() throws {
    try check(RowsRequest(rows: [feedRow]), "01 01 0174 04a401026b")
    try check(RowsAnswer(rows: [[0xAA, 0xBB], nil]), "01 02 01 02aabb 00")
  }

  @Test func fingerprintsAreWrittenAsDocumented() throws {
    try check(FingerprintRequest(partition: 256), "01 0100")
    var fingerprint = Fingerprint()
    fingerprint.add(RowHash(high: 1, low: .max))
    fingerprint.add(RowHash(high: 0, low: 2))
    try check(
      FingerprintAnswer(head: 9, tables: [.init(table: "t", fingerprint: fingerprint)]),
      "01 09 01 0174 0000000000000002 0000000000000001 02")
  }

  // MARK: Any message

  @Test func messagesAreReadAsTheyWereWritten() throws {
    let random = SeededRandom(seed: 4711)
    for round in 0..<2000 {
      let messages = AnyMessages(random)
      try roundTrip(messages.request, round)
      try roundTrip(messages.response, round)
      try roundTrip(messages.headsRequest, round)
      try roundTrip(messages.headsAnswer, round)
      try roundTrip(messages.feedRequest, round)
      try roundTrip(messages.feedAnswer, round)
      try roundTrip(messages.rowsRequest, round)
      try roundTrip(messages.rowsAnswer, round)
      try roundTrip(messages.fingerprintAnswer, round)
    }
  }

  private func roundTrip<Message: MeshMessage & Equatable>(
    _ message: Message, _ round: Int
  ) throws {
    var writer = BinaryWriter()
    message.write(to: &writer)
    let read = try BinaryReader.read(writer.bytes) {
      (reader: inout BinaryReader) throws(BinaryError) in try Message(&reader)
    }
    try #require(read == message, "round \(round)")
  }

  // MARK: Limits

  @Test func messagesBeyondTheirLimitsAreErrors() {
    func read<Message: MeshMessage>(_ type: Message.Type, _ message: Message) -> BinaryError? {
      var writer = BinaryWriter()
      message.write(to: &writer)
      do throws(BinaryError) {
        _ = try BinaryReader.read(writer.bytes) {
          (reader: inout BinaryReader) throws(BinaryError) in try Message(&reader)
        }
        return nil
      } catch {
        return error
      }
    }
    let long = [UInt8](repeating: 1, count: 3 << 20)
    #expect(read(ReplicaRequest.self, request(.read(Array(repeating: key, count: 4096)))) == nil)
    for body: ReplicaRequest.Body in [
      .read(Array(repeating: key, count: 4097)), .read([RowKey(partitionKey: long)]),
      .read([RowKey(partitionKey: [], sortKey: long)]),
      .merge([EncodedRow(key: key, bytes: long)], .client),
      .operate(name: String(repeating: "n", count: 49), partitionKey: [], input: []),
      .operate(name: "n", partitionKey: [], input: long),
      .range(RangeRequest(partitionKey: [], from: [], to: nil, limit: 4097, grouping: nil)),
      .range(
        RangeRequest(
          partitionKey: [], from: [], to: nil, limit: 1,
          grouping: DelimiterGrouping(start: 0, delimiter: []))),
    ] {
      #expect(read(ReplicaRequest.self, request(body)) != nil)
    }
    #expect(read(FingerprintRequest.self, FingerprintRequest(partition: 257)) != nil)
    let positions = (0..<258).map { _ in FeedPosition(partition: 1, cursor: nil) }
    #expect(read(FeedRequest.self, FeedRequest(layout: 1, positions: positions)) != nil)
    #expect(
      read(RowsRequest.self, RowsRequest(rows: Array(repeating: feedRow, count: 4097))) != nil)
  }
}

/// Messages of any content.
private struct AnyMessages {
  let random: SeededRandom

  init(_ random: SeededRandom) { self.random = random }

  private func bytes(_ countMax: Int = 5) -> [UInt8] { random.bytes(random.below(countMax + 1)) }
  private func list<Element>(_ make: () -> Element) -> [Element] {
    (0..<random.below(4)).map { _ in make() }
  }
  private func maybe<Value>(_ make: () -> Value) -> Value? {
    random.below(2) == 0 ? nil : make()
  }
  private var name: String { ["", "t", "object", "größe"][random.below(4)] }
  private var partition: UInt16 { UInt16(random.below(257)) }
  private var time: Timestamp { Timestamp(rawValue: random.next()) }
  private var key: RowKey { RowKey(partitionKey: bytes(), sortKey: bytes()) }
  private var row: EncodedRow { EncodedRow(key: key, bytes: bytes(300)) }
  private var cursor: FeedCursor {
    FeedCursor(start: FeedStart(high: random.next(), low: random.next()), sequence: random.next())
  }
  private var position: FeedPosition {
    FeedPosition(partition: partition, cursor: maybe { cursor })
  }
  private var feedRow: FeedRow { FeedRow(table: name, diskKey: bytes()) }

  var request: ReplicaRequest {
    let body: ReplicaRequest.Body
    switch random.below(4) {
    case 0: body = .read(list { key })
    case 1:
      body = .range(
        RangeRequest(
          partitionKey: bytes(), from: bytes(), to: maybe { bytes() }, limit: random.below(4097),
          grouping: maybe {
            DelimiterGrouping(
              start: random.below(10), delimiter: [1] + bytes(), terminator: bytes())
          }))
    case 2: body = .merge(list { row }, [.client, .repair, .feed][random.below(3)])
    default: body = .operate(name: name, partitionKey: bytes(), input: bytes(300))
    }
    var request = ReplicaRequest(
      table: name, partition: UInt16(random.below(65_536)),
      layout: LayoutStamp(newestKnown: random.next(), readFrom: random.next()), body: body)
    request.above = time
    request.floor = time
    request.companion = maybe { CompanionRow(table: name, row: row) }
    return request
  }

  var response: ReplicaResponse {
    let body: ReplicaResponse.Body
    switch random.below(6) {
    case 0: body = .rows(list { maybe { bytes(300) } })
    case 1:
      body = .range(
        RangeAnswer(
          entries: list {
            .init(sortKey: bytes(), bytes: bytes(300), group: maybe { bytes() })
          }, coveredEnd: maybe { bytes() }))
    case 2: body = .answer(.accepted(bytes()))
    case 3: body = .answer(.stale(time))
    case 4:
      body = .answer(.refused(code: UInt16(random.below(65_536)), payload: bytes()))
    default: body = .staleLayout(bytes(300))
    }
    return ReplicaResponse(
      body, countsInQuorum: random.below(2) == 0, floor: time, companion: maybe { bytes(300) })
  }

  var headsRequest: HeadsRequest {
    HeadsRequest(
      layout: random.next(), since: random.next(), isCatchingUp: random.below(2) == 0,
      reports: list { position })
  }

  var headsAnswer: HeadsAnswer {
    HeadsAnswer(
      last: random.next(), hasLostRows: random.below(2) == 0,
      heads: list { .init(partition: partition, sequence: random.next()) })
  }

  var feedRequest: FeedRequest {
    FeedRequest(layout: random.next(), positions: list { position })
  }

  var feedAnswer: FeedAnswer {
    FeedAnswer(
      parts: list {
        .init(
          partition: partition, mustStartOver: random.below(2) == 0,
          entries: list {
            FeedEntry(row: feedRow, hash: RowHash(high: random.next(), low: random.next()))
          }, cursor: cursor, isEnd: random.below(2) == 0)
      })
  }

  var rowsRequest: RowsRequest { RowsRequest(rows: list { feedRow }) }

  var rowsAnswer: RowsAnswer { RowsAnswer(rows: list { maybe { bytes(300) } }) }

  var fingerprintAnswer: FingerprintAnswer {
    FingerprintAnswer(
      head: random.next(),
      tables: list {
        var fingerprint = Fingerprint()
        fingerprint.add(RowHash(high: random.next(), low: random.next()))
        return TableFingerprint(table: name, fingerprint: fingerprint)
      })
  }
}
