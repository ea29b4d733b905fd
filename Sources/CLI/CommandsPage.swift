// docs/commands.md: the table of commands, made from the commands themselves.

/// The page that documents every command.
package enum CommandsPage {
  /// Markdown, as `grange help --markdown` prints it.
  package static var markdown: String {
    var text = """
      # Commands

      <!-- Made from the commands themselves: `grange help --markdown`. -->

      `grange server` is the node; every other command asks it through the socket in its data folder, so it is run on
      the node's host, as the node's user or root. `--json` prints one JSON document, whose names stay as they are.
      The exit code is 0 when it was done, 1 when it failed, with one line that says why, and 2 when the
      command line is none of ours.

      BUCKET is a bucket's name, be it one that only a key sees, its ID, or the beginning that no other bucket has: three
      characters of a name, or four of an ID. KEY is an access key's ID or name, or the beginning of one, likewise. When
      several begin so the message names them. What deletes takes the whole name, or eight characters of the ID.

      """
    for group in groups {
      text += "\n| command | does |\n|---|---|\n"
      for command in group { text += "| `\(escaped(command.usage))` | \(summary(of: command)) |\n" }
    }
    text += "\nEvery command takes:\n\n| option | |\n|---|---|\n"
    for option in CommonOptions.all { text += "| `\(usage(of: option))` | \(option.summary) |\n" }
    return text
  }

  /// The commands that share their first word.
  private static var groups: [[Command]] {
    var groups: [[Command]] = []
    for command in Commands.all {
      if let last = groups.last?.last, last.words.count > 1, last.words.first == command.words.first
      {
        groups[groups.count - 1].append(command)
      } else if command.words.count == 1, let last = groups.last?.last, last.words.count == 1 {
        groups[groups.count - 1].append(command)
      } else {
        groups.append([command])
      }
    }
    return groups
  }

  private static func summary(of command: Command) -> String {
    let options = command.options.map { "`\(usage(of: $0))` \($0.summary)" }
    return options.isEmpty
      ? command.summary : "\(command.summary). \(options.joined(separator: "; "))"
  }

  private static func usage(of option: Option) -> String {
    option.name + (option.value.map { " \($0)" } ?? "")
  }

  private static func escaped(_ text: String) -> String {
    text.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|")
  }
}
