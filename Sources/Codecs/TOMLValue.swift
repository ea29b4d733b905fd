// TOML values (https://toml.io/en/v1.0.0): what a configuration file says, and on which line it says it.

/// A value of a TOML document.
package struct TOMLValue: Equatable, Sendable {
  package enum Kind: Equatable, Sendable {
    case string(String)
    case integer(Int64)
    case float(Double)
    case boolean(Bool)
    case dateTime(TOMLDateTime)
    case array([TOMLValue])
    case table(TOMLTable)
  }

  package var kind: Kind
  /// The line on which the value starts, from 1; for a table, that of its header.
  package var line: Int

  package init(_ kind: Kind, line: Int) {
    self.kind = kind
    self.line = line
  }

  /// The value's type in TOML's words, with its article, for messages.
  package var typeName: String {
    switch kind {
    case .string: "a string"
    case .integer: "an integer"
    case .float: "a float"
    case .boolean: "a boolean"
    case .dateTime: "a date or time"
    case .array: "an array"
    case .table: "a table"
    }
  }
}

/// A table: keys and values in the order of the document.
package struct TOMLTable: Equatable, Sendable {
  package struct Entry: Equatable, Sendable {
    package var key: String
    package var value: TOMLValue

    package init(key: String, value: TOMLValue) {
      self.key = key
      self.value = value
    }

    package static func == (left: Self, right: Self) -> Bool {
      sameBytes(left.key, right.key) && left.value == right.value
    }
  }

  package var entries: [Entry]

  package init(entries: [Entry] = []) { self.entries = entries }

  /// The value of `key`.
  package subscript(key: String) -> TOMLValue? {
    entries.first { sameBytes($0.key, key) }?.value
  }
}

/// A date, a time of day, or both, with or without an offset from UTC.
package struct TOMLDateTime: Equatable, Sendable {
  package struct Day: Equatable, Sendable {
    package var year: Int
    package var month: Int
    package var day: Int

    package init(year: Int, month: Int, day: Int) {
      self.year = year
      self.month = month
      self.day = day
    }
  }

  package struct Time: Equatable, Sendable {
    package var hour: Int
    package var minute: Int
    /// 60 in a leap second.
    package var second: Int
    /// Digits beyond the ninth are dropped.
    package var nanosecond: Int

    package init(hour: Int, minute: Int, second: Int, nanosecond: Int) {
      self.hour = hour
      self.minute = minute
      self.second = second
      self.nanosecond = nanosecond
    }
  }

  package var day: Day?
  package var time: Time?
  /// Minutes east of UTC; `nil` for a local date or time.
  package var offsetMinutes: Int?

  package init(day: Day? = nil, time: Time? = nil, offsetMinutes: Int? = nil) {
    self.day = day
    self.time = time
    self.offsetMinutes = offsetMinutes
  }
}

/// Why a text is no TOML document, and where.
package struct TOMLError: Error, Equatable, Sendable, CustomStringConvertible {
  /// From 1.
  package var line: Int
  /// From 1, in Unicode scalars, as editors count.
  package var column: Int
  /// What is wrong, in words for who wrote the file.
  package var message: String

  package init(line: Int, column: Int, message: String) {
    self.line = line
    self.column = column
    self.message = message
  }

  package var description: String { "line \(line), column \(column): \(message)" }
}

/// Reads TOML.
package enum TOML {
  /// Bytes of a document: a thousand times a long configuration.
  package static let bytesMax = 4 << 20

  /// The root table of `document`.
  package static func parse(_ document: [UInt8]) throws(TOMLError) -> TOMLTable {
    guard document.count <= bytesMax else {
      throw TOMLError(line: 1, column: 1, message: "the file is larger than 4 MiB")
    }
    var parser = TOMLParser(document)
    return try parser.document()
  }

  /// The root table of `document`.
  package static func parse(_ document: String) throws(TOMLError) -> TOMLTable {
    try parse(Array(document.utf8))
  }
}
