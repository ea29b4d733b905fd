// Members and invites. GetNodeInfo and ConnectClusterNodes are Garage's; the others are Grange's own.

import Base
import Codecs

extension AdminEndpoints {
  /// A hundred years: an invite that never ends is not what anybody means.
  private static let inviteSecondsMax: Int64 = 36_500 * 86_400
  private static let inviteUsesMax: Int64 = 1000

  func createInvite(_ request: AdminRequest) async throws -> JSON {
    var wish = InviteWish()
    if let seconds = try request.body.number("expiresSeconds") {
      guard (1...Self.inviteSecondsMax).contains(seconds) else {
        throw AdminError.invalid("expiresSeconds is from 1 second to 100 years")
      }
      wish.expires = .seconds(seconds)
    }
    if let uses = try request.body.number("uses") {
      guard (1...Self.inviteUsesMax).contains(uses) else {
        throw AdminError.invalid("uses is from 1 to \(Self.inviteUsesMax)")
      }
      wish.uses = Int(uses)
    }
    wish.zone = try request.body.text("zone")
    return document(try await cluster.createInvite(wish))
  }

  func listInvites(_ request: AdminRequest) async throws -> JSON {
    .array(try await cluster.invites().map(document))
  }

  func revokeInvite(_ request: AdminRequest) async throws -> JSON {
    document(try await cluster.revokeInvite(try request.required(parameter: "id")))
  }

  func joinCluster(_ request: AdminRequest) async throws -> JSON {
    guard let token = try request.body.text("token") else {
      throw AdminError.invalid("the token is missing")
    }
    let message = try await cluster.join(
      token, discardsData: try request.body.flag("discardData"))
    return ["message": .string(message)]
  }

  func leaveCluster(_ request: AdminRequest) async throws -> JSON {
    ["message": .string(try await cluster.leave())]
  }

  func connectClusterNodes(_ request: AdminRequest) async throws -> JSON {
    guard let peers = request.body.array else {
      throw AdminError.invalid("the body is a list of <node ID>@host:port")
    }
    var texts: [String] = []
    for peer in peers {
      guard let text = peer.string else {
        throw AdminError.invalid("the body is a list of <node ID>@host:port")
      }
      texts.append(text)
    }
    let failures = await cluster.connect(texts)
    return .array(
      failures.map { ["success": .bool($0 == nil), "error": .optional($0)] })
  }

  func removeNode(_ request: AdminRequest) async throws -> JSON {
    let info = try await cluster.remove(
      try request.required(parameter: "node"), isMeant: try request.isCertain)
    return [
      "id": .string(info.node.hex), "hostname": .string(info.hostname),
      "alsoRemoved": .array(info.alsoLost.map { .string($0.hex) }),
      "regained": .array(info.regained.map { .string($0.hex) }),
      "voidInvites": .array(info.voidInvites.map { .string($0) }),
      "removed": .bool(info.isDone),
    ]
  }

  private func document(_ invite: InviteInfo) -> JSON {
    [
      "id": .string(invite.id),
      "token": .optional(invite.token),
      "warning": .optional(invite.warning),
      "state": .string(invite.state.rawValue),
      "uses": .count(UInt64(invite.usesMax)),
      "used": .count(UInt64(invite.usesMade)),
      "expires": .string(CivilTime(invite.expires).iso8601),
      "zone": .optional(invite.zone),
      "issuer": .string(invite.issuer.hex),
    ]
  }
}

extension JSON {
  /// The whole number of the member `name`; `nil` when it is absent or `null`.
  func number(_ name: String) throws(AdminError) -> Int64? {
    guard let value = self[name], !value.isNull else { return nil }
    guard let number = value.integer else { throw .invalid("\(name) is no whole number") }
    return Int64(clamping: number)
  }
}
