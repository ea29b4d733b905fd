// The table of all commands, in the order of the help text.

import Base

/// All commands, and how a command line finds its own.
enum Commands {
  static let all: [Command] =
    [ServerCommand.command, StatusCommand.command] + MemberCommands.all + LayoutCommands.all
    + BucketCommands.all + KeyCommands.all + RepairCommands.all + ConfigCommands.all + [
      HelpCommand.command
    ]

  /// Every option of every command, once.
  static let options: [Option] = {
    var options = CommonOptions.all
    for option in all.flatMap(\.options) where !options.contains(where: { $0.name == option.name })
    {
      options.append(option)
    }
    return options
  }()

  /// What scripts for Garage say, and what it is here.
  private static let garageWords = [
    ["bucket", "set-quotas"]: ["bucket", "quota"], ["key", "set"]: ["key", "update"],
  ]

  /// The options of `line`, and the rest.
  static func read(_ line: [String]) throws(UsageError) -> Arguments {
    try Arguments(line, options: options) { words in
      all.first { $0.words == words }?.options ?? []
    }
  }

  /// The command that `line` names, and its arguments.
  static func find(_ line: [String]) throws(UsageError) -> (Command, Arguments) {
    var arguments = try read(line)
    if let ours = garageWords[Array(arguments.operands.prefix(2))] {
      arguments.operands.replaceSubrange(..<2, with: ours)
    }
    let words = arguments.operands
    guard !words.isEmpty else { throw UsageError("no command") }
    guard
      let command = all.filter({ words.starts(with: $0.words) }).max(by: {
        $0.words.count < $1.words.count
      })
    else { throw unknown(words) }
    arguments.operands.removeFirst(command.words.count)
    try check(arguments, against: command)
    return (command, arguments)
  }

  private static func unknown(_ words: [String]) -> UsageError {
    let group = all.filter { $0.words.first == words.first }
    if !group.isEmpty {
      let choices = group.compactMap { $0.words.dropFirst().first }.joined(separator: ", ")
      let found = words.count > 1 ? "unknown command '\(words[0]) \(words[1])'" : "what of it?"
      return UsageError("\(found); `grange \(words[0])` takes one of: \(choices)")
    }
    let near = NearestName.find(words[0], among: all.compactMap(\.words.first))
    let suggestion = near.map { "; did you mean \($0)?" } ?? ""
    return UsageError("unknown command '\(words[0])'\(suggestion)")
  }

  private static func check(_ arguments: Arguments, against command: Command) throws(UsageError) {
    let allowed = Set((CommonOptions.all + command.options).map(\.name))
    let given = Array(arguments.switches) + Array(arguments.values.keys)
    if let name = given.sorted().first(where: { !allowed.contains($0) }) {
      throw UsageError("`grange \(command.name)` has no option \(name)", command: command.name)
    }
    if arguments.has(CommonOptions.help) { return }
    let needed = command.operands.prefix { !$0.hasPrefix("[") }
    if arguments.operands.count < needed.count {
      let missing = needed[arguments.operands.count]
      throw UsageError("\(missing) is missing", command: command.name)
    }
    let isRepeated = command.operands.last?.hasSuffix("...") == true
    if arguments.operands.count > command.operands.count, !isRepeated {
      let extra = arguments.operands[command.operands.count]
      throw UsageError("unexpected '\(extra)'", command: command.name)
    }
  }
}
