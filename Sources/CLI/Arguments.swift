// Reads a command line against the table of commands.
//
// Options may stand anywhere, as `--name value` or `--name=value`, and some by one letter, as in Garage; `--` ends them. What is left begins with the
// words of a command, and goes on with its operands. An option means the same to every command that has it,
// so where a value is expected is known before the command is. The exception is `layout apply --version N`: behind the
// words of a command, its own options come before those of all others.

import Base

/// An option of one or more commands.
struct Option: Sendable, Equatable {
  /// With its dashes: `--config`.
  let name: String
  /// What stands for its value in help; `nil` for a switch.
  let value: String?
  let summary: String

  init(_ name: String, _ value: String? = nil, _ summary: String) {
    self.name = name
    self.value = value
    self.summary = summary
  }
}

/// A command line that is none of ours: exit code 2.
struct UsageError: Error, Equatable {
  let message: String
  /// The command that was meant, for the hint.
  let command: String?

  init(_ message: String, command: String? = nil) {
    self.message = message
    self.command = command
  }
}

/// What a command was given.
struct Arguments: Sendable, Equatable {
  var operands: [String] = []
  var values: [String: String] = [:]
  var switches: Set<String> = []

  /// The value of `option`.
  func value(_ option: Option) -> String? { values[option.name] }

  /// Whether the switch `option` is there.
  func has(_ option: Option) -> Bool { switches.contains(option.name) }
}

extension Arguments {
  /// Splits `line` into options and the rest.
  ///
  /// - Parameters:
  ///   - options: Those of all commands.
  ///   - own: Those of the command with these words, in the place of others of the same name.
  init(
    _ line: [String], options: [Option], own: ([String]) -> [Option] = { _ in [] }
  ) throws(UsageError) {
    var rest = line[...]
    while let word = rest.popFirst() {
      if word == "--" {
        operands += rest
        return
      }
      // A single dash is an operand: standard input.
      guard word.hasPrefix("-"), word != "-" else {
        operands.append(word)
        continue
      }
      let name = Self.longName(String(word.prefix { $0 != "=" }))
      let attached = word.firstIndex(of: "=").map { String(word[word.index(after: $0)...]) }
      guard let option = (own(operands) + options).first(where: { $0.name == name }) else {
        let near = NearestName.find(name, among: options.map(\.name))
        throw UsageError("unknown option \(name)" + (near.map { "; did you mean \($0)?" } ?? ""))
      }
      if option.value == nil {
        guard attached == nil else { throw UsageError("\(name) takes no value") }
        switches.insert(name)
      } else {
        guard values[name] == nil else { throw UsageError("\(name) is given twice") }
        guard let value = attached ?? rest.popFirst() else {
          throw UsageError("\(name) needs a value")
        }
        values[name] = value
      }
    }
  }

  private static func longName(_ name: String) -> String {
    switch name {
    case "-h": "--help"
    case "-V": "--version"
    // As Garage has them for `layout assign`.
    case "-z": "--zone"
    case "-c": "--capacity"
    case "-g": "--gateway"
    case "-t": "--tag"
    default: name
    }
  }
}
