// The layout in words, and what to type next.

import Base
import Codecs

enum LayoutText {
  /// What is said before there is a version.
  static let none =
    "There is no layout yet: nothing is stored. The first key or bucket makes one that names the founder alone."

  /// Whether something is staged.
  static func hasChanges(_ layout: JSON) -> Bool {
    layout["stagedRoleChanges"]?.array?.isEmpty == false
      || layout["stagedParameters"]?.isNull == false
  }

  /// The lines of a list of texts.
  static func lines(_ texts: JSON?) -> [String] {
    (texts?.array ?? []).compactMap(\.string).map(TextTable.harmless)
  }

  /// The whole answer to `layout show`.
  ///
  /// - Parameter preview: What applying would do; `nil` when nothing is staged.
  static func text(_ layout: JSON, preview: JSON?) -> String {
    let number = layout["version"]?.integer ?? 0
    var parts: [String] = []
    if number == 0 {
      parts.append(none)
    } else {
      parts.append("Layout version \(number)\n\n" + roles(layout["roles"]))
      parts.append("Parameters: " + parameters(layout["parameters"]))
    }
    if let without = nodesWithoutRole(layout) { parts.append(without) }
    if hasChanges(layout) { parts.append(staged(layout)) }
    parts.append(next(layout, preview))
    return parts.joined(separator: "\n\n")
  }

  private static func roles(_ roles: JSON?) -> String {
    var table = TextTable(["ID", "HOSTNAME", "ZONE", "CAPACITY", "USABLE", "TAGS"])
    for role in roles?.array ?? [] {
      table.add([
        id(role), role["hostname"]?.string ?? "-", role["zone"]?.string ?? "-",
        size(role["capacity"]) ?? "gateway", size(role["usableCapacity"]) ?? "-", tags(role),
      ])
    }
    return table.text
  }

  private static func parameters(_ parameters: JSON?) -> String {
    let copies = parameters?["replicationFactor"]?.integer ?? 0
    let zones = parameters?["zoneRedundancy"]?["atLeast"]?.integer
    return "\(copies) \(copies == 1 ? "copy" : "copies"), zone redundancy "
      + "\(zones.map { "\($0)" } ?? "maximum"), \(parameters?["consistency"]?.string ?? "")"
  }

  private static func nodesWithoutRole(_ layout: JSON) -> String? {
    let staged = (layout["stagedRoleChanges"]?.array ?? []).map { $0["id"]?.string }
    let nodes = (layout["nodesWithoutRole"]?.array ?? []).filter {
      !staged.contains($0["id"]?.string)
    }
    guard !nodes.isEmpty else { return nil }
    var table = TextTable(["ID", "HOSTNAME", "ZONE", "OFFERS"])
    for node in nodes {
      table.add([
        id(node), node["hostname"]?.string ?? "-", node["zone"]?.string ?? "-",
        size(node["capacity"]) ?? "-",
      ])
    }
    return "Nodes without a role:\n" + table.text
  }

  private static func staged(_ layout: JSON) -> String {
    var text = "Staged on this node:"
    let changes = layout["stagedRoleChanges"]?.array ?? []
    if !changes.isEmpty {
      var table = TextTable(["ID", "HOSTNAME", "ZONE", "CAPACITY", "TAGS"])
      for change in changes {
        let isRemoval = change["remove"]?.bool == true
        table.add([
          id(change), change["hostname"]?.string ?? "-",
          isRemoval ? "no role any more" : change["zone"]?.string ?? "-",
          isRemoval ? "" : size(change["capacity"]) ?? "gateway", isRemoval ? "" : tags(change),
        ])
      }
      text += "\n" + table.text
    }
    if let staged = layout["stagedParameters"], !staged.isNull {
      text += "\nParameters: " + parameters(staged)
    }
    if let base = layout["stagedOnVersion"]?.integer, base != layout["version"]?.integer {
      text +=
        "\nThis was staged before version \(layout["version"]?.integer ?? 0) came in: look again."
    }
    return text
  }

  private static func next(_ layout: JSON, _ preview: JSON?) -> String {
    guard let preview else {
      return (layout["version"]?.integer ?? 0) == 0
        ? "To say who stores: grange layout assign NODE..., then grange layout apply"
        : "Nothing is staged on this node."
    }
    if let error = preview["error"]?.string {
      return "It cannot be applied: \(TextTable.harmless(error))\nTo drop it: grange layout revert"
    }
    let number = preview["newLayout"]?["version"]?.integer ?? 0
    return
      (lines(preview["message"]) + [
        "To put it in use: grange layout apply --version \(number)",
        "To drop it: grange layout revert",
      ]).joined(separator: "\n")
  }

  private static func id(_ node: JSON) -> String { String((node["id"]?.string ?? "").prefix(16)) }

  private static func tags(_ node: JSON) -> String {
    let tags = node["tags"]?.array?.compactMap(\.string) ?? []
    return tags.isEmpty ? "-" : tags.joined(separator: ",")
  }

  private static func size(_ value: JSON?) -> String? {
    value?.integer.map { ByteSize.describe(UInt64(clamping: $0)) }
      ?? value?.double.map { ByteSize.describe(UInt64($0)) }
  }
}
