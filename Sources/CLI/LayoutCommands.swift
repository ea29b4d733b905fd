// `grange layout ...`: who stores what, in Garage's words.
//
// Changes are staged on the node where they are typed, and applied all at once.

import Base
import Codecs

enum LayoutCommands {
  private static let zone = Option(
    "--zone", "ZONE", "the site of the node: copies go to different ones")
  private static let capacity = Option("--capacity", "SIZE", "how much it stores, such as 500G")
  private static let gateway = Option(
    "--gateway", nil, "it stores nothing, and serves what others store")
  private static let tag = Option("--tag", "TAG", "words for people, separated by commas")
  private static let replication = Option(
    "--replication", "N", "how many copies there are of everything")
  private static let redundancy = Option(
    "--redundancy", "N", "in how many zones the copies are at least: a number, or maximum")
  private static let consistency = Option("--consistency", "MODE", "what reads promise: consistent")
  /// Garage's name, which elsewhere is a switch: behind these two words it takes a value.
  private static let number = Option("--version", "N", "the number that the new version must have")
  private static let yes = Option("--yes", nil, "do not ask; accepted for scripts")

  static let all: [Command] = [
    Command(
      "layout show", [], [], "Shows who stores what, and what is staged on this node", run: show),
    Command(
      "layout assign", ["NODE..."], [zone, capacity, gateway, tag],
      "Stages a role for nodes: what is not said stays, or becomes what the node tells of itself",
      run: assign),
    Command("layout remove", ["NODE..."], [], "Stages that nodes lose their role", run: remove),
    Command(
      "layout config", [], [replication, redundancy, consistency],
      "Stages parameters of the whole cluster", run: config),
    Command("layout apply", [], [number], "Puts what is staged in use", run: apply),
    Command("layout revert", [], [yes], "Drops what is staged on this node", run: revert),
    Command("layout history", [], [], "Lists the versions of the layout", run: history),
  ]

  // MARK: Showing

  private static func show(_ context: CommandContext) async throws -> Int32 {
    try await show(try await context.admin.get("GetClusterLayout"), context)
    return 0
  }

  /// Prints the layout, and what applying what is staged would do.
  private static func show(_ layout: JSON, _ context: CommandContext) async throws {
    var preview: JSON?
    if !context.isJSON, LayoutText.hasChanges(layout) {
      preview = try await context.admin.post("PreviewClusterLayoutChanges")
    }
    context.show(layout) { [preview] in LayoutText.text($0, preview: preview) }
  }

  private static func history(_ context: CommandContext) async throws -> Int32 {
    context.show(try await context.admin.get("GetClusterLayoutHistory")) { history in
      let versions = history["versions"]?.array ?? []
      guard !versions.isEmpty else { return LayoutText.none }
      var table = TextTable(["VERSION", "STATE", "STORAGE NODES", "GATEWAYS", "COPIES"])
      for version in versions {
        table.add([
          "\(version["version"]?.integer ?? 0)",
          (version["status"]?.string ?? "").lowercased(),
          "\(version["storageNodes"]?.integer ?? 0)",
          "\(version["gatewayNodes"]?.integer ?? 0)",
          "\(version["copies"]?.integer ?? 0)",
        ])
      }
      return table.text
    }
    return 0
  }

  // MARK: Staging

  private static func assign(_ context: CommandContext) async throws -> Int32 {
    var change: [JSON.Member] = []
    if let zone = context.arguments.value(zone) {
      change.append(JSON.Member("zone", .string(zone)))
    }
    if let text = context.arguments.value(capacity) {
      guard let bytes = ByteSize.parse(text), bytes > 0 else {
        throw UsageError("--capacity takes a size such as 500G", command: "layout assign")
      }
      change.append(JSON.Member("capacity", .count(bytes)))
    }
    if context.arguments.has(gateway) {
      guard context.arguments.value(capacity) == nil else {
        throw UsageError("a gateway has no --capacity", command: "layout assign")
      }
      change.append(JSON.Member("gateway", true))
    }
    if let text = context.arguments.value(tag) {
      let tags = text.split(separator: ",").map { JSON.string(String($0)) }
      change.append(JSON.Member("tags", .array(tags)))
    }
    return try await stage(roles: change, context)
  }

  private static func remove(_ context: CommandContext) async throws -> Int32 {
    try await stage(roles: [JSON.Member("remove", true)], context)
  }

  /// Stages one change for all nodes that are named.
  private static func stage(
    roles change: [JSON.Member], _ context: CommandContext
  ) async throws -> Int32 {
    let roles = context.arguments.operands.map {
      JSON.object([JSON.Member("id", .string($0))] + change)
    }
    try await show(
      try await context.admin.post("UpdateClusterLayout", [], ["roles": .array(roles)]), context)
    return 0
  }

  private static func config(_ context: CommandContext) async throws -> Int32 {
    var parameters: [JSON.Member] = []
    if let text = context.arguments.value(replication) {
      guard let copies = UInt16(digits: text.utf8) else {
        throw UsageError("--replication takes a number", command: "layout config")
      }
      parameters.append(JSON.Member("replicationFactor", .integer(Int64(copies))))
    }
    if let text = context.arguments.value(redundancy) {
      let zones = UInt16(digits: text.utf8)
      guard text == "maximum" || zones != nil else {
        throw UsageError("--redundancy takes a number, or maximum", command: "layout config")
      }
      parameters.append(
        JSON.Member("zoneRedundancy", zones.map { ["atLeast": .integer(Int64($0))] } ?? "maximum"))
    }
    if let word = context.arguments.value(consistency) {
      parameters.append(JSON.Member("consistency", .string(word)))
    }
    guard !parameters.isEmpty else {
      throw UsageError(
        "say what is to change: --replication, --redundancy or --consistency",
        command: "layout config")
    }
    try await show(
      try await context.admin.post(
        "UpdateClusterLayout", [], ["parameters": .object(parameters)]), context)
    return 0
  }

  private static func apply(_ context: CommandContext) async throws -> Int32 {
    var body: [JSON.Member] = []
    if let text = context.arguments.value(number) {
      guard let number = UInt32(digits: text.utf8) else {
        throw UsageError("--version takes a number", command: "layout apply")
      }
      body.append(JSON.Member("version", .integer(Int64(number))))
    }
    let answer = try await context.admin.post("ApplyClusterLayout", [], .object(body))
    if context.isJSON {
      context.console.print((answer["layout"] ?? .null).serialize(pretty: true))
    } else {
      context.console.print(LayoutText.lines(answer["message"]).joined(separator: "\n"))
    }
    return 0
  }

  private static func revert(_ context: CommandContext) async throws -> Int32 {
    context.show(try await context.admin.post("RevertClusterLayout")) { _ in
      "Nothing is staged on this node any more."
    }
    return 0
  }
}
