// `grange invite`, `join`, `leave`, `node ...`: who belongs to the cluster.

import Base
import Codecs
import Daemon

enum MemberCommands {
  private static let expires = Option("--expires", "TIME", "how long it is good for: 24h, 30d")
  private static let uses = Option("--uses", "N", "how many nodes may join with it; 1 unless given")
  private static let zone = Option("--zone", "ZONE", "the zone of who joins with it")
  private static let discardData = Option(
    "--discard-data", nil, "move what this node has stored aside, and join with nothing")
  private static let yes = Option("--yes", nil, "really do it")

  static let all: [Command] = [
    Command("invite", [], [expires, uses, zone], "Makes a token for a friend's node", run: invite),
    Command("invite revoke", ["ID"], [], "Takes an invite back", run: revoke),
    Command("invites", [], [], "Lists invites", run: invites),
    Command(
      "join", ["TOKEN"], [discardData],
      "Makes this node a member of the token's cluster; TOKEN may be - for standard input",
      run: join),
    Command(
      "leave", [], [yes], "Makes this node leave its cluster, for good, or ask no more to join one",
      run: leave),
    Command("node list", [], [], "Lists the members", run: list),
    Command("node id", [], [], "Prints this node's ID, and where others reach it", run: id),
    Command(
      "node connect", ["PEER"], [], "Tells this node where another is: <node ID>@host:port",
      run: connect),
    Command(
      "node remove", ["NODE"], [yes],
      "Expels a node from the cluster, for good: by its ID, or how one begins, or its host name",
      run: remove),
  ]

  // MARK: Invites

  private static func invite(_ context: CommandContext) async throws -> Int32 {
    var body: [JSON.Member] = []
    if let text = context.arguments.value(expires) {
      guard let time = Duration(text: text), time >= .seconds(1) else {
        throw UsageError("--expires takes a time such as 24h or 30d")
      }
      body.append(JSON.Member("expiresSeconds", .integer(time.components.seconds)))
    }
    if let text = context.arguments.value(uses) {
      guard let count = UInt16(digits: text.utf8), count > 0 else {
        throw UsageError("--uses takes a number from 1 on")
      }
      body.append(JSON.Member("uses", .integer(Int64(count))))
    }
    if let zone = context.arguments.value(zone) { body.append(JSON.Member("zone", .string(zone))) }
    let invite = try await context.admin.post("CreateInvite", [], .object(body))
    let token = invite["token"]?.string ?? ""
    guard !context.isJSON else {
      context.console.print(invite.serialize(pretty: true))
      return 0
    }
    context.console.print(token)
    if let warning = invite["warning"]?.string {
      context.console.printInfo("\nAttention: \(warning).")
    }
    context.console.printInfo(instructions(invite, token))
    return 0
  }

  /// What the friend does with it.
  private static func instructions(_ invite: JSON, _ token: String) -> String {
    let uses = invite["uses"]?.integer ?? 1
    let expires = (invite["expires"]?.string ?? "").prefix(16).replacing("T", with: " ")
    return """

      Give this token to \(uses == 1 ? "one friend" : "up to \(uses) friends"), as you would a key; it is good until \
      \(expires) UTC.
      On a new node, your friend types one of:

        grange server --join TOKEN
        docker run -d --restart always -v grange:/var/lib/grange -p 3900:3900 -p 3901:3901 -e GRANGE_JOIN=TOKEN grange

      `grange invites` shows whether it was used, `grange invite revoke \(
        (invite["id"]?.string ?? "").prefix(8))` takes it back.
      """
  }

  private static func invites(_ context: CommandContext) async throws -> Int32 {
    context.show(try await context.admin.get("ListInvites")) { invites in
      var table = TextTable(["ID", "STATE", "USED", "EXPIRES", "ZONE", "MADE BY"])
      for invite in invites.array ?? [] {
        table.add([
          String((invite["id"]?.string ?? "").prefix(8)), invite["state"]?.string ?? "",
          "\(invite["used"]?.integer ?? 0) of \(invite["uses"]?.integer ?? 0)",
          String((invite["expires"]?.string ?? "").prefix(19)), invite["zone"]?.string ?? "-",
          String((invite["issuer"]?.string ?? "").prefix(16)),
        ])
      }
      return table.text
    }
    return 0
  }

  private static func revoke(_ context: CommandContext) async throws -> Int32 {
    let invite = try await context.admin.post(
      "RevokeInvite", [FormField("id", context.operand(0))])
    context.show(invite) { "The invite \(($0["id"]?.string ?? "").prefix(8)) is revoked." }
    return 0
  }

  // MARK: This node

  private static func join(_ context: CommandContext) async throws -> Int32 {
    var token = context.operand(0)
    if token == "-" {
      token = ""
      while let line = readLine() { token += line }
    }
    let answer = try await context.admin.post(
      "JoinCluster", [],
      [
        "token": .string(token),
        "discardData": .bool(context.arguments.has(discardData)),
      ])
    context.show(answer) { $0["message"]?.string ?? "" }
    return 0
  }

  private static func leave(_ context: CommandContext) async throws -> Int32 {
    guard context.arguments.has(yes) else {
      throw CommandFailure(
        "leaving is for good: this node's key never returns, and it joins again only as a new node; "
          + "to leave, give --yes")
    }
    context.show(try await context.admin.post("LeaveCluster")) { $0["message"]?.string ?? "" }
    return 0
  }

  private static func id(_ context: CommandContext) async throws -> Int32 {
    let answer = try await context.admin.get("GetNodeInfo")
    let info = answer["success"]?.members?.first?.value ?? .null
    let id = info["nodeId"]?.string ?? ""
    context.show(info) { info in
      let addresses = info["addresses"]?.array?.compactMap(\.string) ?? []
      return addresses.isEmpty ? id : addresses.map { "\(id)@\($0)" }.joined(separator: "\n")
    }
    return 0
  }

  // MARK: Other nodes

  private static func list(_ context: CommandContext) async throws -> Int32 {
    let status = try await context.admin.get("GetClusterStatus")
    context.show(status["nodes"] ?? .array([])) { StatusCommand.table(of: $0) }
    return 0
  }

  private static func connect(_ context: CommandContext) async throws -> Int32 {
    let answer = try await context.admin.post(
      "ConnectClusterNodes", [], .array([.string(context.operand(0))]))
    let first = answer[0] ?? .null
    guard first["success"]?.bool == true else {
      throw CommandFailure(first["error"]?.string ?? "the node could not be connected")
    }
    context.show(answer) { _ in "connected" }
    return 0
  }

  private static func remove(_ context: CommandContext) async throws -> Int32 {
    let isMeant = context.arguments.has(yes)
    var query = [FormField("node", context.operand(0))]
    if isMeant { query.append(FormField("certain", "true")) }
    let answer = try await context.admin.post("RemoveNode", query)
    let name = "\(answer["hostname"]?.string ?? "") (\((answer["id"]?.string ?? "").prefix(16)))"
    guard isMeant else {
      throw CommandFailure(
        "this expels \(name) for good: it comes back only as a new node, by a new invite; "
          + consequences(answer) + "to do it, give --yes")
    }
    context.show(answer) { _ in "\(name) is no member any more." }
    return 0
  }

  /// What else a removal brings about: empty, or clauses that end in "; ".
  private static func consequences(_ removal: JSON) -> String {
    func names(_ member: String) -> String {
      (removal[member]?.array ?? []).compactMap { $0.string?.prefix(16) }.joined(separator: ", ")
    }
    let clauses = [
      ("alsoRemoved", "these are no members any more either: "),
      ("regained", "these are members again: "),
      ("voidInvites", "open invites that it made let nobody in any more: "),
    ]
    return clauses.map { (member, text) in
      names(member).isEmpty ? "" : text + names(member) + "; "
    }.joined()
  }
}
