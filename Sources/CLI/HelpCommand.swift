// `grange help`.

enum HelpCommand {
  private static let markdown = Option(
    "--markdown", nil, "print the page that documents every command")

  static let command = Command(
    "help", ["[COMMAND]", "[SUBCOMMAND]"], [markdown], "Shows what a command does and takes"
  ) { context in
    if context.arguments.has(markdown) {
      context.console.print(String(CommandsPage.markdown.dropLast()))
      return 0
    }
    let words = context.arguments.operands
    guard !words.isEmpty else {
      context.console.print(overview)
      return 0
    }
    let matching = Commands.all.filter { $0.words.starts(with: words) }
    guard !matching.isEmpty else {
      throw UsageError("unknown command '\(words.joined(separator: " "))'")
    }
    context.console.print(matching.map(text).joined(separator: "\n\n"))
    return 0
  }

  /// All commands, a line each.
  static var overview: String {
    var table = TextTable([])
    for command in Commands.all {
      table.add(["  " + (command.words + command.operands).joined(separator: " "), command.summary])
    }
    let commands = table.text.drop { $0 == "\n" }
    return """
      grange: a self-hosted, geo-distributed S3 object store

      Usage: grange COMMAND [OPERANDS] [OPTIONS]

      \(commands)

      Every command takes:
      \(describe(CommonOptions.all))

      `grange help COMMAND` says more. `grange server --quickstart` is the way to begin.
      """
  }

  /// A command with its options.
  static func text(of command: Command) -> String {
    var text = "\(command.summary).\n\nUsage: \(command.usage)"
    if !command.options.isEmpty { text += "\n\n" + describe(command.options) }
    return text
  }

  private static func describe(_ options: [Option]) -> String {
    var table = TextTable([])
    for option in options {
      table.add(["  \(option.name)\(option.value.map { " \($0)" } ?? "")", option.summary])
    }
    return String(table.text.drop { $0 == "\n" })
  }
}
