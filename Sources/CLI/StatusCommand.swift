// `grange status`.

import Base
import Codecs

enum StatusCommand {
  private static let health = Option(
    "--health", nil, "print nothing; exit 1 if the health is unavailable")

  static let command = Command(
    "status", [], [health], "Shows the nodes of the cluster and what needs attention"
  ) { context in
    let status = try await context.admin.get("GetClusterStatus")
    if context.arguments.has(health) {
      return status["health"]?.string == "unavailable" ? 1 : 0
    }
    context.show(status, describe)
    return 0
  }

  private static func describe(_ status: JSON) -> String {
    var text =
      "Health: \(status["health"]?.string ?? "unknown")\n\n" + table(of: status["nodes"] ?? .null)
    let attention = status["attention"]?.array?.compactMap(\.string) ?? []
    if !attention.isEmpty {
      text +=
        "\n\nNeeds attention:\n"
        + attention.map { "- " + TextTable.harmless($0) }.joined(separator: "\n")
    }
    return text
  }

  /// The members, a line each.
  static func table(of nodes: JSON) -> String {
    var table = TextTable([
      "ID", "HOSTNAME", "ADDRESS", "TAGS", "ZONE", "CAPACITY", "DATA", "STATE", "PING",
    ])
    for node in nodes.array ?? [] {
      let tags = node["tags"]?.array?.compactMap(\.string) ?? []
      table.add([
        String((node["id"]?.string ?? "").prefix(16)),
        node["hostname"]?.string ?? "",
        node["addresses"]?[0]?.string ?? "-",
        tags.isEmpty ? "-" : tags.joined(separator: ","),
        node["zone"]?.string ?? "-",
        node["role"]?.isNull == false ? size(node["capacity"]) ?? "gateway" : "no role",
        room(node["dataPartition"]),
        state(of: node),
        node["roundTripMilliseconds"]?.double.map { "\(Int($0.rounded())) ms" } ?? "-",
      ])
    }
    return table.text
  }

  private static func state(of node: JSON) -> String {
    let state = node["state"]?.string ?? "unknown"
    guard state == "down" else { return state }
    guard let seconds = node["lastSeenSecsAgo"]?.integer else { return "down, not seen yet" }
    return "down for \(rough(seconds))"
  }

  /// A time in its largest unit.
  private static func rough(_ seconds: Int64) -> String {
    switch seconds {
    case ..<120: "\(seconds) s"
    case ..<7200: "\(seconds / 60) min"
    case ..<172_800: "\(seconds / 3600) h"
    default: "\(seconds / 86_400) days"
    }
  }

  private static func size(_ value: JSON?) -> String? {
    value?.integer.map { ByteSize.describe(UInt64(clamping: $0)) }
  }

  private static func room(_ value: JSON?) -> String {
    guard let available = size(value?["available"]), let total = size(value?["total"]) else {
      return "-"
    }
    return "\(available) free of \(total)"
  }
}
