// `grange key ...`: access keys.

import Base
import Codecs
import Daemon
import Reactor

enum KeyCommands {
  private static let showSecret = Option("--show-secret", nil, "show the secret too")
  private static let name = Option("--name", "NAME", "a name for people")
  private static let createBucket = Option("--create-bucket", nil, "creating buckets")
  private static let expires = Option(
    "--expires", "TIME", "when it ends: after 12h or 30d, on 2027-01-31, or never")
  private static let yes = Option("--yes", nil, "really do it")

  static let all: [Command] = [
    Command("key list", [], [], "Lists the access keys", run: list),
    Command(
      "key info", ["KEY"], [showSecret], "Shows an access key and the buckets that it may use",
      run: info),
    Command(
      "key create", ["[NAME]"], [createBucket, expires],
      "Creates an access key and prints its secret", run: create),
    Command(
      "key import", ["ID", "SECRET"], [name, yes],
      "Takes an access key that exists elsewhere; SECRET may be - for standard input",
      run: importKey),
    Command("key delete", ["KEY"], [yes], "Deletes an access key and its rights", run: delete),
    Command("key allow", ["KEY"], [createBucket], "Gives an access key a right") {
      try await changeRight("allow", $0)
    },
    Command("key deny", ["KEY"], [createBucket], "Takes a right from an access key") {
      try await changeRight("deny", $0)
    },
    Command(
      "key update", ["KEY"], [name, expires], "Changes an access key's name or when it ends",
      run: change),
    Command("key rename", ["KEY", "NAME"], [], "Gives an access key another name", run: rename),
  ]

  private static func list(_ context: CommandContext) async throws -> Int32 {
    context.show(try await context.admin.get("ListKeys")) { keys in
      var table = TextTable(["ID", "CREATED", "NAME", "EXPIRES"])
      for key in keys.array ?? [] {
        let expires = key["expiration"]?.string ?? "never"
        table.add([
          key["id"]?.string ?? "", BucketCommands.day(key["created"]), key["name"]?.string ?? "",
          key["expired"]?.bool == true ? "expired" : String(expires.prefix(19)),
        ])
      }
      return table.text
    }
    return 0
  }

  private static func info(_ context: CommandContext) async throws -> Int32 {
    var query = [FormField("search", context.operand(0))]
    if context.arguments.has(showSecret) { query.append(FormField("showSecretKey", "true")) }
    context.show(try await context.admin.get("GetKeyInfo", query), describe)
    return 0
  }

  private static func create(_ context: CommandContext) async throws -> Int32 {
    var body: [JSON.Member] = [JSON.Member("name", .string(context.operand(0)))]
    if context.arguments.has(createBucket) {
      body.append(JSON.Member("allow", ["createBucket": true]))
    }
    if let text = context.arguments.value(expires) {
      body.append(try expiration(text, now: context.group.wallNow))
    }
    context.show(try await context.admin.post("CreateKey", [], .object(body)), describe)
    return 0
  }

  private static func change(_ context: CommandContext) async throws -> Int32 {
    var body: [JSON.Member] = []
    if let name = context.arguments.value(name) { body.append(JSON.Member("name", .string(name))) }
    if let text = context.arguments.value(expires) {
      body.append(try expiration(text, now: context.group.wallNow))
    }
    guard !body.isEmpty else { throw UsageError("say what to change: --name, --expires") }
    return try await update(context, .object(body))
  }

  /// A hundred years: beyond any plan, and within the four digits of a date's year.
  private static let expirationMax: Duration = .seconds(36_500 * 86_400)

  /// The member of a request that says when a key ends.
  private static func expiration(
    _ text: String, now: WallTime
  ) throws(UsageError) -> JSON.Member {
    if text == "never" { return JSON.Member("neverExpires", true) }
    if let time = Duration(text: text), time > .zero, time <= expirationMax {
      let end = WallTime(milliseconds: now.milliseconds + time.components.seconds * 1000)
      return JSON.Member("expiration", .string(CivilTime(end).iso8601))
    }
    // A day alone begins at midnight, UTC. What else looks like a date is for the node to read.
    let day = text.split(separator: "-", omittingEmptySubsequences: false)
    if day.count == 3, day.allSatisfy({ $0.allSatisfy(\.isNumber) }) {
      return JSON.Member("expiration", .string("\(text)T00:00:00Z"))
    }
    guard text.contains("T"), text.contains(":") else {
      throw UsageError(
        "--expires takes a time such as 12h or 30d (at most 36500d), a date such as 2027-01-31 or "
          + "2027-01-31T12:00:00Z, or never")
    }
    return JSON.Member("expiration", .string(text))
  }

  private static func importKey(_ context: CommandContext) async throws -> Int32 {
    var secret = context.operand(1)
    if secret == "-" {
      guard let line = readLine(), !line.isEmpty else {
        throw CommandFailure("standard input has no line with the secret")
      }
      secret = line
    }
    var body: [JSON.Member] = [
      JSON.Member("accessKeyId", .string(context.operand(0))),
      JSON.Member("secretAccessKey", .string(secret)),
    ]
    if let name = context.arguments.value(name) { body.append(JSON.Member("name", .string(name))) }
    context.show(try await context.admin.post("ImportKey", [], .object(body)), describe)
    return 0
  }

  private static func delete(_ context: CommandContext) async throws -> Int32 {
    let key = try await find(context.operand(0), context, isCertain: true)
    let id = key["accessKeyId"]?.string ?? ""
    guard context.arguments.has(yes) else {
      throw CommandFailure(
        "the access key \(id) (\(key["name"]?.string ?? "")) would be deleted for good; "
          + "add --yes to do it")
    }
    _ = try await context.admin.post("DeleteKey", [FormField("id", id)])
    context.show(["accessKeyId": .string(id)]) { _ in "Deleted the access key \(id)." }
    return 0
  }

  private static func changeRight(
    _ direction: String, _ context: CommandContext
  ) async throws -> Int32 {
    guard context.arguments.has(createBucket) else {
      throw UsageError("say which right: --create-bucket")
    }
    return try await update(context, .object([JSON.Member(direction, ["createBucket": true])]))
  }

  private static func rename(_ context: CommandContext) async throws -> Int32 {
    try await update(context, ["name": .string(context.operand(1))])
  }

  private static func update(_ context: CommandContext, _ body: JSON) async throws -> Int32 {
    let key = try await find(context.operand(0), context)
    let id = FormField("id", key["accessKeyId"]?.string ?? "")
    context.show(try await context.admin.post("UpdateKey", [id], body), describe)
    return 0
  }

  /// The key with this ID or name, or the only one whose ID or name begins so.
  ///
  /// - Parameter isCertain: What begins with a name is not taken for it.
  static func find(
    _ name: String, _ context: CommandContext, isCertain: Bool = false
  ) async throws -> JSON {
    try await context.admin.get(
      "GetKeyInfo", [FormField("search", name), FormField("certain", "\(isCertain)")])
  }

  private static func describe(_ key: JSON) -> String {
    let ended = key["expired"]?.bool == true ? " (it no longer works)" : ""
    var text = """
      Name:               \(TextTable.harmless(key["name"]?.string ?? ""))
      Access key:         \(key["accessKeyId"]?.string ?? "")
      Secret key:         \(key["secretAccessKey"]?.string ?? "(hidden; --show-secret)")
      Created:            \(key["created"]?.string ?? "")
      Expires:            \(key["expiration"]?.string ?? "never")\(ended)
      May create buckets: \(key["permissions"]?["createBucket"]?.bool == true ? "yes" : "no")
      """
    let buckets = key["buckets"]?.array ?? []
    guard !buckets.isEmpty else { return text }
    var table = TextTable(["BUCKET", "NAMES", "RIGHTS"])
    for bucket in buckets {
      let names = (bucket["globalAliases"]?.array ?? []) + (bucket["localAliases"]?.array ?? [])
      table.add([
        String((bucket["id"]?.string ?? "").prefix(16)),
        names.compactMap(\.string).joined(separator: ", "),
        BucketCommands.rights(bucket["permissions"]),
      ])
    }
    text += "\n\n" + table.text
    return text
  }
}
