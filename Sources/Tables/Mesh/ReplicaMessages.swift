// Requests and responses of replicas as they travel (docs/formats/table-messages.md).
//
// Everything in them comes from another node: every length has a bound, and what is not as it should be is an error.
// Whether a request makes sense, its keys and partitions, the replica checks (LocalTable+Requests.swift).

package import Codecs
private import LocalDB
import Mesh

/// What a message between replicas may hold.
package enum TableMessageLimits {
  /// A whole message: a thousand rows of a listing, or the largest row there may be.
  package static let bytesMax = 2 << 20
  /// So many bytes of rows a replica puts into one answer, and one row more.
  package static let answerBytesMax = 512 << 10
  /// Keys, rows or entries: a page of a listing has 1,000.
  package static let rowsMax = 4096
  /// Of a table or an operation.
  static let nameBytesMax = 48
  static let partitionKeyBytesMax = 64
  static let sortKeyBytesMax = Tree.keyBytesMax
}

extension ReplicaRequest: MeshMessage {
  package func write(to writer: inout BinaryWriter) {
    writer.version(1)
    writer.string(table)
    writer.u16(partition)
    writer.varint(layout.newestKnown)
    writer.varint(layout.readFrom)
    writer.timestamp(above)
    writer.timestamp(floor)
    writer.optional(companion) { writer, companion in
      writer.string(companion.table)
      writer.row(companion.row)
    }
    switch body {
    case .read(let keys):
      writer.u8(0)
      writer.list(keys) { $0.key($1) }
    case .range(let range):
      writer.u8(1)
      range.write(to: &writer)
    case .merge(let rows, let origin):
      writer.u8(2)
      writer.u8(origin.rawValue)
      writer.list(rows) { $0.row($1) }
    case .operate(let name, let partitionKey, let input):
      writer.u8(3)
      writer.string(name)
      writer.bytes(partitionKey)
      writer.bytes(input)
    }
  }

  package init(_ reader: inout BinaryReader) throws(BinaryError) {
    _ = try reader.version(upTo: 1)
    let table = try reader.string(max: TableMessageLimits.nameBytesMax)
    let partition = try reader.u16()
    let newest = try reader.varint()
    let layout = LayoutStamp(newestKnown: newest, readFrom: try reader.varint())
    let above = try reader.timestamp()
    let floor = try reader.timestamp()
    let companion = try reader.optional { (reader: inout BinaryReader) throws(BinaryError) in
      CompanionRow(
        table: try reader.string(max: TableMessageLimits.nameBytesMax), row: try reader.row())
    }
    let body = try Body(from: &reader)
    self.init(table: table, partition: partition, layout: layout, body: body)
    self.above = above
    self.floor = floor
    self.companion = companion
    _ = reader.remaining()
  }
}

extension ReplicaRequest.Body {
  fileprivate init(from reader: inout BinaryReader) throws(BinaryError) {
    switch try reader.u8() {
    case 0:
      self = .read(
        try reader.list(max: TableMessageLimits.rowsMax) {
          (reader: inout BinaryReader) throws(BinaryError) in try reader.key()
        })
    case 1: self = .range(try RangeRequest(from: &reader))
    case 2:
      guard let origin = MergeOrigin(rawValue: try reader.u8()) else { throw .invalidValue }
      self = .merge(
        try reader.list(max: TableMessageLimits.rowsMax) {
          (reader: inout BinaryReader) throws(BinaryError) in try reader.row()
        }, origin)
    case 3:
      let name = try reader.string(max: TableMessageLimits.nameBytesMax)
      let partitionKey = try reader.bytes(max: TableMessageLimits.partitionKeyBytesMax)
      self = .operate(
        name: name, partitionKey: partitionKey,
        input: try reader.bytes(max: TableMessageLimits.bytesMax))
    default: throw .invalidValue
    }
  }
}

extension RangeRequest {
  fileprivate func write(to writer: inout BinaryWriter) {
    writer.bytes(partitionKey)
    writer.bytes(from)
    writer.optional(to) { $0.bytes($1) }
    writer.count(limit)
    writer.optional(grouping) { writer, grouping in
      writer.count(grouping.start)
      writer.bytes(grouping.delimiter)
      writer.bytes(grouping.terminator)
    }
  }

  fileprivate init(from reader: inout BinaryReader) throws(BinaryError) {
    let partitionKey = try reader.bytes(max: TableMessageLimits.partitionKeyBytesMax)
    let from = try reader.sortKey()
    let to = try reader.optional { (reader: inout BinaryReader) throws(BinaryError) in
      try reader.sortKey()
    }
    let limit = try reader.count(max: TableMessageLimits.rowsMax)
    let grouping = try reader.optional { (reader: inout BinaryReader) throws(BinaryError) in
      let start = try reader.count(max: TableMessageLimits.sortKeyBytesMax)
      let delimiter = try reader.sortKey()
      guard !delimiter.isEmpty else { throw .invalidValue }
      return DelimiterGrouping(
        start: start, delimiter: delimiter, terminator: try reader.bytes(max: 16))
    }
    self.init(
      partitionKey: partitionKey, from: from, to: to, limit: limit, grouping: grouping)
  }
}

extension ReplicaResponse: MeshMessage {
  package func write(to writer: inout BinaryWriter) {
    writer.version(1)
    writer.bool(countsInQuorum)
    writer.timestamp(floor)
    writer.optional(companion) { $0.bytes($1) }
    switch body {
    case .rows(let rows):
      writer.u8(0)
      writer.list(rows) { writer, row in writer.optional(row) { $0.bytes($1) } }
    case .range(let range):
      writer.u8(1)
      writer.list(range.entries) { writer, entry in
        writer.bytes(entry.sortKey)
        writer.bytes(entry.bytes)
        writer.optional(entry.group) { $0.bytes($1) }
      }
      writer.optional(range.coveredEnd) { $0.bytes($1) }
    case .answer(let answer):
      writer.u8(2)
      answer.write(to: &writer)
    case .staleLayout(let layout):
      writer.u8(3)
      writer.bytes(layout)
    }
  }

  package init(_ reader: inout BinaryReader) throws(BinaryError) {
    _ = try reader.version(upTo: 1)
    let counts = try reader.bool()
    let floor = try reader.timestamp()
    let companion = try reader.optional { (reader: inout BinaryReader) throws(BinaryError) in
      try reader.rowBytes()
    }
    let body: Body
    switch try reader.u8() {
    case 0:
      body = .rows(
        try reader.list(max: TableMessageLimits.rowsMax) {
          (reader: inout BinaryReader) throws(BinaryError) in
          try reader.optional { (reader: inout BinaryReader) throws(BinaryError) in
            try reader.rowBytes()
          }
        })
    case 1: body = .range(try RangeAnswer(from: &reader))
    case 2: body = .answer(try ReplicaAnswer(from: &reader))
    case 3: body = .staleLayout(try reader.bytes(max: TableMessageLimits.bytesMax))
    default: throw .invalidValue
    }
    self.init(body, countsInQuorum: counts, floor: floor, companion: companion)
    _ = reader.remaining()
  }
}

extension RangeAnswer {
  fileprivate init(from reader: inout BinaryReader) throws(BinaryError) {
    let entries = try reader.list(max: TableMessageLimits.rowsMax) {
      (reader: inout BinaryReader) throws(BinaryError) in
      let sortKey = try reader.sortKey()
      let bytes = try reader.rowBytes()
      let group = try reader.optional { (reader: inout BinaryReader) throws(BinaryError) in
        try reader.sortKey()
      }
      return Entry(sortKey: sortKey, bytes: bytes, group: group)
    }
    let end = try reader.optional { (reader: inout BinaryReader) throws(BinaryError) in
      try reader.sortKey()
    }
    self.init(entries: entries, coveredEnd: end)
  }
}

extension ReplicaAnswer {
  fileprivate func write(to writer: inout BinaryWriter) {
    switch self {
    case .accepted(let payload):
      writer.u8(0)
      writer.bytes(payload)
    case .stale(let timestamp):
      writer.u8(1)
      writer.timestamp(timestamp)
    case .refused(let code, let payload):
      writer.u8(2)
      writer.u16(code)
      writer.bytes(payload)
    }
  }

  fileprivate init(from reader: inout BinaryReader) throws(BinaryError) {
    switch try reader.u8() {
    case 0: self = .accepted(try reader.rowBytes())
    case 1: self = .stale(try reader.timestamp())
    case 2:
      let code = try reader.u16()
      self = .refused(code: code, payload: try reader.rowBytes())
    default: throw .invalidValue
    }
  }
}

extension BinaryWriter {
  mutating func key(_ key: RowKey) {
    bytes(key.partitionKey)
    bytes(key.sortKey)
  }

  mutating func row(_ row: EncodedRow) {
    key(row.key)
    bytes(row.bytes)
  }
}

extension BinaryReader {
  mutating func sortKey() throws(BinaryError) -> [UInt8] {
    try bytes(max: TableMessageLimits.sortKeyBytesMax)
  }

  mutating func rowBytes() throws(BinaryError) -> [UInt8] {
    try bytes(max: TableMessageLimits.bytesMax)
  }

  mutating func key() throws(BinaryError) -> RowKey {
    let partitionKey = try bytes(max: TableMessageLimits.partitionKeyBytesMax)
    return RowKey(partitionKey: partitionKey, sortKey: try sortKey())
  }

  mutating func row() throws(BinaryError) -> EncodedRow {
    EncodedRow(key: try key(), bytes: try rowBytes())
  }
}
