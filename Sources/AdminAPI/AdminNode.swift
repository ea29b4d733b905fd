// What the admin interface asks of the node that it belongs to. The daemon answers; tests answer for it.

package import Base

/// The node behind the admin interface.
package protocol AdminNode: Sendable {
  /// The cluster as this node sees it.
  func status() async -> ClusterStatus

  /// Compares block files with references, without changing anything.
  func checkBlocks() async throws -> BlockCheckReport
}

/// The cluster as a node sees it.
package struct ClusterStatus: Equatable, Sendable {
  /// Whether every object can be read and written.
  package enum Health: String, Equatable, Sendable {
    /// All nodes answer.
    case healthy
    /// Some do not, and everything can still be read and written.
    case degraded
    /// Something cannot be read or written.
    case unavailable
  }

  package var health: Health
  package var nodes: [NodeStatus]
  /// The number of the layout version in effect; 0 before there is one.
  package var layoutVersion: UInt64
  /// How many nodes hold each row; 0 before there is a layout.
  package var copies = 0
  /// What keeps traces of deleted objects from being forgotten; `nil` when nothing does.
  package var tombstones: TombstoneDelay?
  /// What an operator should look at, in sentences that say what to do.
  package var attention: [String]

  package init(
    health: Health, nodes: [NodeStatus], layoutVersion: UInt64, attention: [String] = []
  ) {
    self.health = health
    self.nodes = nodes
    self.layoutVersion = layoutVersion
    self.attention = attention
  }
}

/// Nodes without which deletions cannot be forgotten: they have not read them.
package struct TombstoneDelay: Equatable, Sendable {
  /// Since when the first of them has not been heard; `nil` when it was not heard since this node started.
  package var since: WallTime?
  package var waitingFor: [NodeID]

  package init(since: WallTime?, waitingFor: [NodeID]) {
    self.since = since
    self.waitingFor = waitingFor
  }
}

/// One node of the cluster.
package struct NodeStatus: Equatable, Sendable {
  /// The room of a file system.
  package struct Room: Equatable, Sendable {
    package var availableBytes: UInt64
    package var totalBytes: UInt64

    package init(availableBytes: UInt64, totalBytes: UInt64) {
      self.availableBytes = availableBytes
      self.totalBytes = totalBytes
    }
  }

  /// What a node is doing, as seen from here.
  package enum State: String, Equatable, Sendable {
    case up
    /// It stores, and still reads what it missed while it was away.
    case catchingUp = "catching up"
    case down
    /// This node, which has a token and is no member yet.
    case joining
    /// This node, which has left the cluster or was removed from it.
    case ended
  }

  package var id: NodeID
  package var hostname: String
  package var version: String
  /// Where other nodes reach it.
  package var addresses: [String]
  package var zone: String?
  /// How much it offers; `nil` for a gateway.
  package var capacityBytes: UInt64?
  package var tags: [String]
  package var isUp: Bool
  package var state: State
  /// Whether it stores objects: has a role in the layout.
  package var hasRole: Bool
  /// When it was heard last; `nil` for this node, and for one that was not heard since this one started.
  package var lastSeen: WallTime?
  /// The time that a question to it and its answer take.
  package var roundTrip: Duration?
  package var data: Room?
  package var metadata: Room?

  package init(
    id: NodeID, hostname: String, version: String, addresses: [String] = [], zone: String? = nil,
    capacityBytes: UInt64? = nil, tags: [String] = [], isUp: Bool = true, state: State = .up,
    hasRole: Bool = true, lastSeen: WallTime? = nil, roundTrip: Duration? = nil,
    data: Room? = nil, metadata: Room? = nil
  ) {
    self.id = id
    self.hostname = hostname
    self.version = version
    self.addresses = addresses
    self.zone = zone
    self.capacityBytes = capacityBytes
    self.tags = tags
    self.isUp = isUp
    self.state = state
    self.hasRole = hasRole
    self.lastSeen = lastSeen
    self.roundTrip = roundTrip
    self.data = data
    self.metadata = metadata
  }
}

/// What a check of the blocks found.
package struct BlockCheckReport: Equatable, Sendable {
  package var blocks: UInt64
  package var references: UInt64
  /// How many contradictions there are.
  package var problemCount: UInt64
  /// The first of them, in sentences.
  package var problems: [String]

  package init(blocks: UInt64, references: UInt64, problemCount: UInt64, problems: [String]) {
    self.blocks = blocks
    self.references = references
    self.problemCount = problemCount
    self.problems = problems
  }
}
