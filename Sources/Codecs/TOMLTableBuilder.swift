// The rules of TOML about which table may be opened, extended or defined again.
//
// A table comes into being in one of five ways, and that decides what later lines may do to it:
//
//   way        example           extended by [t.sub]   by t.key = (dotted)   defined by [t]
//   implied    [t.sub]           yes                   yes                   yes, once
//   header     [t], [[t]]        yes                   no                    no
//   dotted     t.key = 1         yes                   in the same section   no
//   inline     t = { ... }       no                    no                    no
//
// An array of tables ([[t]]) takes further elements only from [[t]]; an array that was written as a value
// takes nothing more.

/// A table while the document is being read.
final class TOMLTableBuilder {
  enum Origin: Equatable {
    /// A header below it was read first.
    case implied
    case header
    /// Dotted keys, in the section with this number.
    case dotted(section: Int)
    case inline
  }

  enum Slot {
    case value(TOMLValue)
    case table(TOMLTableBuilder)
    /// An array of tables, never empty.
    case tables([TOMLTableBuilder])
  }

  var origin: Origin
  var line: Int
  private(set) var keys: [String] = []
  private var slots: [[UInt8]: Slot] = [:]

  init(origin: Origin, line: Int) {
    self.origin = origin
    self.line = line
  }

  subscript(key: String) -> Slot? {
    get { slots[Array(key.utf8)] }
    set {
      if slots.updateValue(newValue ?? .tables([]), forKey: Array(key.utf8)) == nil {
        keys.append(key)
      }
    }
  }

  /// The table under `key` on the way of a header to a deeper one; made if it is missing.
  ///
  /// - Returns: `nil` when something stands there that a header cannot extend.
  func descendForHeader(_ key: String, line: Int) -> TOMLTableBuilder? {
    switch self[key] {
    case nil:
      let table = TOMLTableBuilder(origin: .implied, line: line)
      self[key] = .table(table)
      return table
    case .table(let table): return table.origin == .inline ? nil : table
    case .tables(let tables): return tables.last
    case .value: return nil
    }
  }

  /// The table under `key` on the way of a dotted key; made if it is missing.
  ///
  /// - Returns: `nil` when something stands there that a dotted key cannot extend.
  func descendForDottedKey(_ key: String, section: Int, line: Int) -> TOMLTableBuilder? {
    switch self[key] {
    case nil:
      let table = TOMLTableBuilder(origin: .dotted(section: section), line: line)
      self[key] = .table(table)
      return table
    case .table(let table) where table.origin == .implied:
      table.origin = .dotted(section: section)
      return table
    case .table(let table):
      return table.origin == .dotted(section: section) ? table : nil
    case .tables, .value: return nil
    }
  }

  /// The table that the header `[key]` opens; `nil` when it may not.
  func openTable(_ key: String, line: Int) -> TOMLTableBuilder? {
    switch self[key] {
    case nil:
      let table = TOMLTableBuilder(origin: .header, line: line)
      self[key] = .table(table)
      return table
    case .table(let table) where table.origin == .implied:
      table.origin = .header
      table.line = line
      return table
    case .table, .tables, .value: return nil
    }
  }

  /// The new element that the header `[[key]]` appends; `nil` when it may not.
  func appendTable(_ key: String, line: Int) -> TOMLTableBuilder? {
    let table = TOMLTableBuilder(origin: .header, line: line)
    let bytes = Array(key.utf8)
    guard let slot = slots.removeValue(forKey: bytes) else {
      self[key] = .tables([table])
      return table
    }
    // Taken out and put back, so that appending does not copy the array each time.
    guard case .tables(var tables) = consume slot else { return nil }
    tables.append(table)
    slots[bytes] = .tables(tables)
    return table
  }

  /// The finished table.
  var table: TOMLTable {
    TOMLTable(
      entries: keys.compactMap { key in
        guard let slot = self[key] else { return nil }
        let value =
          switch slot {
          case .value(let value): value
          case .table(let table): TOMLValue(.table(table.table), line: table.line)
          case .tables(let tables):
            TOMLValue(
              .array(tables.map { TOMLValue(.table($0.table), line: $0.line) }),
              line: tables.first?.line ?? line)
          }
        return TOMLTable.Entry(key: key, value: value)
      })
  }
}
