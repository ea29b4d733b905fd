// `grange repair ...`.

import Codecs

enum RepairCommands {
  private static let check = Option("--check", nil, "only look, and exit 1 if something is wrong")

  /// Every block is looked at: on a spinning disk that takes hours.
  private static let checkTimeout: Duration = .seconds(24 * 3600)

  static let all: [Command] = [
    Command(
      "repair blocks", [], [check],
      "Compares the block files of this node with the references to them"
    ) { context in
      guard context.arguments.has(check) else {
        throw UsageError("this version only looks: repair blocks --check")
      }
      let report = try await context.admin.get("CheckBlocks", timeout: checkTimeout)
      context.show(report, describe)
      return report["problemCount"]?.integer == 0 ? 0 : 1
    }
  ]

  private static func describe(_ report: JSON) -> String {
    let problems = report["problems"]?.array?.compactMap(\.string) ?? []
    let count = report["problemCount"]?.integer ?? 0
    var text =
      "\(report["blocks"]?.integer ?? 0) blocks, \(report["references"]?.integer ?? 0) references, "
      + "\(count) \(count == 1 ? "problem" : "problems")"
    for problem in problems { text += "\n- " + TextTable.harmless(problem) }
    if count > problems.count { text += "\n- and \(Int(count) - problems.count) more" }
    return text
  }
}
