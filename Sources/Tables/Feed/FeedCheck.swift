// Whether the feed and the rows agree: each row has one entry, each entry a row.

private import LocalDB

extension LocalTableReplica {
  /// All rows of all tables, as other replicas would have them.
  ///
  /// Reads everything: for tests.
  package func contents() throws -> [FeedRow: [UInt8]] {
    try database.read { transaction in
      var contents: [FeedRow: [UInt8]] = [:]
      for table in allTables {
        try table.walk(in: transaction) { row in
          contents[FeedRow(table: table.name, diskKey: row.diskKey)] =
            try table.bytes(row.diskKey, in: transaction)
        }
      }
      return contents
    }
  }

  /// What contradicts what, in sentences; nothing unless something is broken.
  ///
  /// Reads everything: for tests.
  package func feedFaults() throws -> [String] {
    var faults: [String] = []
    try database.read { transaction in
      var found: [FeedRow: (partition: UInt16, sequence: UInt64)] = [:]
      var listed: Set<FeedRow> = []
      for partition in 0...Partition.everywhere {
        try feed.read(partition, after: 0, in: transaction) { sequence, row in
          if found[row] != nil { faults.append("\(row.table): two entries of one row") }
          found[row] = (partition, sequence)
          return true
        }
        try feed.readTombstones(partition, after: 0, upTo: .max, in: transaction) { _, row in
          listed.insert(row)
          return true
        }
      }
      for table in allTables {
        try table.walk(in: transaction) { row in
          let entry = found.removeValue(forKey: FeedRow(table: table.name, diskKey: row.diskKey))
          if entry?.partition != row.partition || entry?.sequence != row.sequence {
            faults.append("\(table.name): a row without its entry")
          }
          let isListed =
            listed.remove(FeedRow(table: table.name, diskKey: row.diskKey)) != nil
          if isListed != row.isTombstone { faults.append("\(table.name): a tombstone not listed") }
        }
      }
      faults += found.keys.map { "\($0.table): an entry without its row" }
      faults += listed.map { "\($0.table): a listed tombstone that is none" }
    }
    return faults
  }
}

/// A row as the feed has to know it.
struct WalkedRow {
  var diskKey: [UInt8]
  var partition: UInt16
  var sequence: UInt64
  var isTombstone: Bool
}
