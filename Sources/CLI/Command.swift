// A command: its words, what it takes, and what it does.

import Codecs
import Daemon
import Reactor

/// Something that `grange` can do.
struct Command: Sendable {
  /// What the command line begins with: `["bucket", "create"]`.
  let words: [String]
  /// Names of the operands; one in brackets may be missing, and the last one may stand several times: `NODE...`.
  let operands: [String]
  let options: [Option]
  /// One line for the list of commands.
  let summary: String
  let run: @Sendable (CommandContext) async throws -> Int32

  init(
    _ words: String, _ operands: [String] = [], _ options: [Option] = [], _ summary: String,
    run: @escaping @Sendable (CommandContext) async throws -> Int32
  ) {
    self.words = words.split(separator: " ").map(String.init)
    self.operands = operands
    self.options = options
    self.summary = summary
    self.run = run
  }

  var name: String { words.joined(separator: " ") }

  /// `grange bucket create NAME [--key KEY]`.
  var usage: String {
    let options = options.map { "[\($0.name)\($0.value.map { " \($0)" } ?? "")]" }
    return (["grange"] + words + operands + options).joined(separator: " ")
  }
}

/// A command that was not done: exit code 1, and one line that says why and what to do.
struct CommandFailure: Error, Equatable {
  let message: String

  init(_ message: String) { self.message = message }
}

/// What a command works with.
struct CommandContext: Sendable {
  let arguments: Arguments
  let environment: [String: String]
  /// Where the configuration comes from.
  let sources: ConfigurationSources
  let group: EventLoopGroup
  /// Talks to the running node.
  let admin: AdminClient

  let console: Console
  /// What the program was called as.
  let program: String

  /// Whether one JSON document is printed instead of text.
  var isJSON: Bool { arguments.has(CommonOptions.json) }

  /// The operand at `index`, which the table says is there.
  func operand(_ index: Int) -> String {
    arguments.operands.indices.contains(index) ? arguments.operands[index] : ""
  }

  /// Prints `document` if JSON is wanted, else what `text` makes of it.
  func show(_ document: JSON, _ text: (JSON) -> String) {
    console.print(isJSON ? document.serialize(pretty: true) : text(document))
  }
}

/// Options of every command.
enum CommonOptions {
  static let config = Option("--config", "FILE", "read this configuration file")
  static let data = Option("--data", "DIR", "use DIR/meta and DIR/data")
  static let json = Option("--json", nil, "print one JSON document")
  static let help = Option("--help", nil, "show help")
  static let version = Option("--version", nil, "show the version")

  /// Those that every command takes.
  static let all = [config, data, json, help, version]
}

/// Where a command writes: the process's streams, or a test's memory.
package struct Console: Sendable {
  /// Writes a line to standard output.
  package var print: @Sendable (String) -> Void
  /// Writes why a command failed to standard error.
  package var printError: @Sendable (String) -> Void
  /// Writes what only a person reads, and no script, to standard error.
  package var printInfo: @Sendable (String) -> Void

  package init(
    print: @escaping @Sendable (String) -> Void, printError: @escaping @Sendable (String) -> Void,
    printInfo: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    self.print = print
    self.printError = printError
    self.printInfo = printInfo
  }
}
