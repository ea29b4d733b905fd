// `grange config ...`.

import Codecs
import Daemon

enum ConfigCommands {
  static let all: [Command] = [
    Command(
      "config check", [], [],
      "Shows the configuration in effect and where it comes from, or what is wrong with it",
      run: check),
    Command(
      "config docs", [], [], "Prints the page that documents every setting"
    ) { context in
      context.console.print(String(ConfigurationPage.markdown.dropLast()))
      return 0
    },
  ]

  private static func check(_ context: CommandContext) async throws -> Int32 {
    let loaded: LoadedConfiguration
    do throws(ConfigurationError) {
      loaded = try ConfigurationLoader.load(context.sources)
    } catch {
      for problem in error.problems { context.console.printError(problem) }
      return 1
    }
    for warning in loaded.warnings { context.console.printError("warning: \(warning)") }
    context.show(loaded.json) { _ in
      let source = loaded.filePath.map { "# \($0) is read.\n" } ?? "# No file is read.\n"
      return source + loaded.toml
    }
    return 0
  }

  /// One line for a command that needs the configuration for something else.
  static func firstProblem(_ error: ConfigurationError) -> String {
    let rest = error.problems.count - 1
    let first = error.problems.first ?? "the configuration cannot be read"
    return rest == 0 ? first : "\(first) (and \(rest) more: grange config check)"
  }
}
