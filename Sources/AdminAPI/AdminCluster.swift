// What the admin interface asks of the cluster's membership. The daemon answers; tests answer for it.

package import Base

/// The members, invites and joining of the cluster that a node is in.
package protocol AdminCluster: AdminLayout {
  /// This node.
  var own: NodeID { get }

  /// Why there are no buckets and keys on this node, and what to do; `nil` when there are.
  var whyNothingIsStored: String? { get }

  /// Makes a token for whoever is to join.
  ///
  /// - Throws: `AdminError`.
  func createInvite(_ wish: InviteWish) async throws -> InviteInfo

  /// All invites that are remembered, the newest first.
  func invites() async throws -> [InviteInfo]

  /// Takes back the invite whose ID begins with `prefix`.
  ///
  /// - Throws: `AdminError`.
  func revokeInvite(_ prefix: String) async throws -> InviteInfo

  /// Makes this node join the cluster of `token`.
  ///
  /// - Parameter discardsData: Whether what the node has is moved aside for that.
  /// - Returns: What happened, or happens now, in a sentence.
  /// - Throws: `AdminError`.
  func join(_ token: String, discardsData: Bool) async throws -> String

  /// Makes this node leave its cluster, for good.
  ///
  /// - Throws: `AdminError`.
  func leave() async throws -> String

  /// Tells this node where others may be: `<node ID>@host:port`.
  ///
  /// - Returns: For each, why it is not connected; `nil` when it is.
  func connect(_ peers: [String]) async -> [String?]

  /// What removing the node whose ID or host name begins with `name` means, and, if `isMeant`, removes it.
  ///
  /// - Throws: `AdminError`.
  func remove(_ name: String, isMeant: Bool) async throws -> RemovalInfo
}

/// What an invite is to be like.
package struct InviteWish: Equatable, Sendable {
  /// For how long it may be used.
  package var expires: Duration = .seconds(24 * 3600)
  /// How many nodes may join with it.
  package var uses = 1
  /// The zone that they get; `nil` lets each find out its own.
  package var zone: String?

  package init() {}
}

/// An invite, as its makers see it.
package struct InviteInfo: Equatable, Sendable {
  /// What an invite is good for.
  package enum State: String, Equatable, Sendable {
    case open, used, expired, revoked, void
  }

  package var id: String
  /// Only of an invite that was made just now.
  package var token: String?
  /// With the token: why a friend may not reach anybody by it.
  package var warning: String?
  package var state: State
  package var usesMax: Int
  package var usesMade: Int
  package var expires: WallTime
  package var zone: String?
  package var issuer: NodeID

  package init(
    id: String, token: String?, state: State, usesMax: Int, usesMade: Int, expires: WallTime,
    zone: String?, issuer: NodeID
  ) {
    self.id = id
    self.token = token
    self.state = state
    self.usesMax = usesMax
    self.usesMade = usesMade
    self.expires = expires
    self.zone = zone
    self.issuer = issuer
  }
}

/// What removing a node means.
package struct RemovalInfo: Equatable, Sendable {
  package var node: NodeID
  package var hostname: String
  /// Who else is no member with it, and who is one again, ascending.
  package var alsoLost: [NodeID]
  package var regained: [NodeID]
  /// Open invites that let nobody in any more, as the node made them.
  package var voidInvites: [String]
  package var isDone: Bool

  package init(
    node: NodeID, hostname: String, alsoLost: [NodeID], regained: [NodeID],
    voidInvites: [String], isDone: Bool
  ) {
    self.node = node
    self.hostname = hostname
    self.alsoLost = alsoLost
    self.regained = regained
    self.voidInvites = voidInvites
    self.isDone = isDone
  }
}
