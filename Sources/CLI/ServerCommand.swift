// `grange server`: runs the node in the foreground.

import Daemon

enum ServerCommand {
  private static let quickstart = Option(
    "--quickstart", nil, "on the first start, create an access key and a bucket")

  private static let join = Option(
    "--join", "TOKEN", "join the cluster of this token, which `grange invite` prints")

  static let command = Command(
    "server", [], [quickstart, join], "Runs the node in the foreground"
  ) { context in
    let loaded = try ConfigurationLoader.load(context.sources)
    let node = Node(
      configuration: loaded, environment: context.environment,
      isQuickstart: context.arguments.has(quickstart),
      joinToken: try joinToken(context),
      instructions: CommandInstructions(
        program: quotedForShell(context.program), options: nodeOptions(context.arguments)),
      platform: .machine(context.group),
      announce: context.console.print)
    do {
      try await node.run()
    } catch let failure as NodeFailure {
      throw CommandFailure(failure.description)
    }
    return 0
  }

  /// The token that the node is given, by the command line or the environment.
  private static func joinToken(_ context: CommandContext) throws -> String? {
    if let given = context.arguments.value(join) { return given }
    do throws(NodeFailure) {
      return try JoinTokenSource.read(context.environment)
    } catch {
      throw CommandFailure(error.description)
    }
  }

  /// How other commands are told of this node: as this one was.
  private static func nodeOptions(_ arguments: Arguments) -> String {
    [CommonOptions.config, CommonOptions.data].compactMap { option in
      arguments.value(option).map { " \(option.name) \(quotedForShell($0))" }
    }.joined()
  }

  /// The text as one word of a shell.
  static func quotedForShell(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        || (UInt8(ascii: "-")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "_")
    }
    if isPlain, !text.isEmpty { return text }
    return "'"
      + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''")
      + "'"
  }
}
