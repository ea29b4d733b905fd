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
    case tables(Elements)
  }

  /// The elements of an array of tables, at least one.
  ///
  /// Shared, so that appending does not copy them each time.
  final class Elements {
    private(set) var last: TOMLTableBuilder
    private var tables: [TOMLTableBuilder]
    /// Of the first.
    private let line: Int

    init(_ first: TOMLTableBuilder) {
      last = first
      tables = [first]
      line = first.line
    }

    func append(_ table: TOMLTableBuilder) {
      last = table
      tables.append(table)
    }

    /// The finished array.
    var value: TOMLValue {
      TOMLValue(.array(tables.map { TOMLValue(.table($0.table), line: $0.line) }), line: line)
    }
  }

  var origin: Origin
  var line: Int
  /// In the order of the document.
  private var slots: [(key: String, slot: Slot)] = []
  /// Where in `slots` a key is, by its bytes.
  private var places: [[UInt8]: Int] = [:]

  init(origin: Origin, line: Int) {
    self.origin = origin
    self.line = line
  }

  subscript(key: String) -> Slot? { places[Array(key.utf8)].map { slots[$0].slot } }

  /// Puts `slot` under `key`, under which there is nothing yet.
  func add(_ key: String, _ slot: Slot) {
    places[Array(key.utf8)] = slots.count
    slots.append((key, slot))
  }

  /// The table under `key` on the way of a header to a deeper one; made if it is missing.
  ///
  /// - Returns: `nil` when something stands there that a header cannot extend.
  func descendForHeader(_ key: String, line: Int) -> TOMLTableBuilder? {
    switch self[key] {
    case nil:
      let table = TOMLTableBuilder(origin: .implied, line: line)
      add(key, .table(table))
      return table
    case .table(let table): return table.origin == .inline ? nil : table
    case .tables(let elements): return elements.last
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
      add(key, .table(table))
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
      add(key, .table(table))
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
    switch self[key] {
    case nil: add(key, .tables(Elements(table)))
    case .tables(let elements): elements.append(table)
    case .table, .value: return nil
    }
    return table
  }

  /// The finished table.
  var table: TOMLTable {
    TOMLTable(
      entries: slots.map { key, slot in
        let value =
          switch slot {
          case .value(let value): value
          case .table(let table): TOMLValue(.table(table.table), line: table.line)
          case .tables(let elements): elements.value
          }
        return TOMLTable.Entry(key: key, value: value)
      })
  }
}
