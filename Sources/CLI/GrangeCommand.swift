// From the command line to an exit code: 0 done, 1 failed with one line that says why, 2 usage.

private import Daemon
private import Glibc
private import Reactor

/// The program `grange`.
package enum GrangeCommand {
  /// Does what `line`, without the program's name, asks for.
  ///
  /// - Parameter program: What the program was called as, for instructions.
  package static func main(
    _ line: [String], program: String = "grange",
    environment: [String: String] = ProcessEnvironment.read(), console: Console = .process
  ) -> Int32 {
    do throws(UsageError) {
      if let code = answerAtOnce(line, console) { return code }
      let (command, arguments) = try Commands.find(line)
      if arguments.has(CommonOptions.help) {
        console.print(HelpCommand.text(of: command))
        return 0
      }
      return run(command, arguments, program, environment, console)
    } catch {
      let help = error.command.map { "grange help \($0)" } ?? "grange help"
      console.printError("\(error.message); try: \(help)")
      return 2
    }
  }

  /// `--version` and `--help` without a command.
  private static func answerAtOnce(_ line: [String], _ console: Console) -> Int32? {
    guard let arguments = try? Commands.read(line) else { return nil }
    if arguments.has(CommonOptions.version) {
      console.print("grange \(GrangeVersion.text)")
      return 0
    }
    guard arguments.operands.isEmpty, arguments.has(CommonOptions.help) else { return nil }
    console.print(HelpCommand.overview)
    return 0
  }

  private static func run(
    _ command: Command, _ arguments: Arguments, _ program: String,
    _ environment: [String: String], _ console: Console
  ) -> Int32 {
    // The node uses all cores; any other command sends a few requests.
    let isServer = command.name == ServerCommand.command.name
    let group =
      isServer ? NodeRuntime.make() : EventLoopGroup(loopCount: 1, blockingThreads: 1)
    let sources = ConfigurationSources(
      filePath: arguments.value(CommonOptions.config),
      dataFlag: arguments.value(CommonOptions.data), environment: environment)
    let context = CommandContext(
      arguments: arguments, environment: environment, sources: sources, group: group,
      admin: AdminClient(sources: sources, runtime: group), console: console, program: program)
    return group.run { await run(command, context) }
  }

  private static func run(_ command: Command, _ context: CommandContext) async -> Int32 {
    do {
      return try await command.run(context)
    } catch let failure as CommandFailure {
      context.console.printError(failure.message)
    } catch let error as ConfigurationError {
      context.console.printError(ConfigCommands.firstProblem(error))
    } catch let error as UsageError {
      context.console.printError("\(error.message); try: grange help \(command.name)")
      return 2
    } catch {
      context.console.printError("\(error)")
    }
    return 1
  }
}

extension Console {
  /// The process's standard streams; what is printed is there at once.
  package static let process = Console(
    print: { write($0 + "\n", to: 1) }, printError: { write("grange: \($0)\n", to: 2) },
    printInfo: { write($0 + "\n", to: 2) })

  private static func write(_ text: String, to descriptor: Int32) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      // Whoever read it has gone away.
      guard count > 0 else { return }
      rest = rest.dropFirst(count)
    }
  }
}
