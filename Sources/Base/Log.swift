// Logs: one line an event, to standard error, for an operator to read.
//
// A message says what happened, to which thing, and what to do next. It never holds a secret. Under
// journald each line begins with `<n>`, the syslog priority (sd-daemon(3)), so that `journalctl -p err`
// works; with the JSON form each line is one object, for collectors.

private import Glibc
private import Synchronization

/// How much a log line matters.
package enum LogLevel: Int, Comparable, Sendable, CaseIterable {
  case trace, debug, info, warning, error

  /// The level's name in configuration files and log lines.
  package var name: String {
    switch self {
    case .trace: "trace"
    case .debug: "debug"
    case .info: "info"
    case .warning: "warning"
    case .error: "error"
    }
  }

  /// The level with `name`, or `nil`.
  package init?(name: String) {
    guard let level = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = level
  }

  /// The priority of syslog(3).
  var syslogPriority: Int {
    switch self {
    case .trace, .debug: 7
    case .info: 6
    case .warning: 4
    case .error: 3
    }
  }

  package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// Where log lines go.
///
/// Any thread may write; a line is one write(2), so lines never mix.
package final class LogOutput: Sendable {
  /// The form of a line.
  package enum Format: Sendable {
    /// `2026-11-21T09:22:00.123Z info  blocks: message key=value`
    case plain
    /// `<6>blocks: message key=value`: journald adds the time.
    case journald
    /// `{"time":"...","level":"info","label":"blocks","message":"...","key":"value"}`
    case json
  }

  private let minimum: Atomic<Int>
  private let format: Format
  private let descriptor: Int32

  /// An output that drops every line.
  package static let none = LogOutput(level: nil, format: .plain, descriptor: -1)

  /// Writes lines of `level` and above to `descriptor`; `nil` writes none.
  package init(level: LogLevel?, format: Format, descriptor: Int32 = 2) {
    self.minimum = Atomic(level?.rawValue ?? .max)
    self.format = format
    self.descriptor = descriptor
  }

  /// Changes the least level that is written.
  package func setLevel(_ level: LogLevel) {
    minimum.store(level.rawValue, ordering: .relaxed)
  }

  /// Whether a line of `level` would be written.
  package func writes(_ level: LogLevel) -> Bool {
    level.rawValue >= minimum.load(ordering: .relaxed)
  }

  func write(_ level: LogLevel, label: String, message: String, fields: [(String, String)]) {
    var line: String
    switch format {
    case .plain:
      line = "\(Self.timestamp()) \(level.name.padded(to: 7)) \(label): \(Self.oneLine(message))"
      for (name, value) in fields { line += " \(name)=\(Self.quoted(value))" }
    case .journald:
      line = "<\(level.syslogPriority)>\(label): \(Self.oneLine(message))"
      for (name, value) in fields { line += " \(name)=\(Self.quoted(value))" }
    case .json:
      line =
        "{\"time\":\"\(Self.timestamp())\",\"level\":\"\(level.name)\",\"label\":"
        + "\(Self.jsonString(label)),\"message\":\(Self.jsonString(message))"
      for (name, value) in fields {
        line += ",\(Self.jsonString(name)):\(Self.jsonString(value))"
      }
      line += "}"
    }
    line += "\n"
    line.withUTF8 { _ = Glibc.write(descriptor, $0.baseAddress, $0.count) }
  }

  /// A client chooses parts of many messages: no line break or control character of its passes.
  private static func oneLine(_ text: String) -> String {
    guard text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { return text }
    var result = ""
    for scalar in text.unicodeScalars {
      if scalar.value < 0x20 || scalar.value == 0x7F {
        result += "\\x" + Hex.encode([UInt8(scalar.value)])
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  private static func quoted(_ value: String) -> String {
    let plain = value.utf8.allSatisfy { $0 > 0x20 && $0 != UInt8(ascii: "\"") && $0 != 0x7F }
    return plain && !value.isEmpty ? value : jsonString(value)
  }

  private static func jsonString(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case _ where scalar.value < 0x20 || scalar.value == 0x7F:
        result += "\\u00" + Hex.encode([UInt8(scalar.value)])
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  private static func timestamp() -> String {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return CivilTime(
      WallTime(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    )
    .iso8601
  }
}

/// Writes log lines of one part of the program.
package struct Logger: Sendable {
  private let output: LogOutput
  private let label: String

  /// Writes nothing.
  package static let disabled = Logger(output: .none, label: "")

  /// A logger for the part called `label`, for example `blocks`.
  package init(output: LogOutput, label: String) {
    self.output = output
    self.label = label
  }

  /// The same output under another label.
  package func labelled(_ label: String) -> Logger { Logger(output: output, label: label) }

  /// Writes `message` and `fields` when the output takes `level`; otherwise evaluates neither.
  package func log(
    _ level: LogLevel, _ message: @autoclosure () -> String,
    _ fields: @autoclosure () -> [(String, String)] = []
  ) {
    guard output.writes(level) else { return }
    output.write(level, label: label, message: message(), fields: fields())
  }

  /// Something a developer wants to see when looking for a fault.
  package func debug(
    _ message: @autoclosure () -> String, _ fields: @autoclosure () -> [(String, String)] = []
  ) { log(.debug, message(), fields()) }

  /// Something an operator may want to know.
  package func info(
    _ message: @autoclosure () -> String, _ fields: @autoclosure () -> [(String, String)] = []
  ) { log(.info, message(), fields()) }

  /// Something an operator should look at when there is time.
  package func warning(
    _ message: @autoclosure () -> String, _ fields: @autoclosure () -> [(String, String)] = []
  ) { log(.warning, message(), fields()) }

  /// Something that does not work and needs an operator.
  package func error(
    _ message: @autoclosure () -> String, _ fields: @autoclosure () -> [(String, String)] = []
  ) { log(.error, message(), fields()) }
}

extension String {
  fileprivate func padded(to width: Int) -> String {
    utf8.count >= width ? self : self + String(repeating: " ", count: width - utf8.count)
  }
}
