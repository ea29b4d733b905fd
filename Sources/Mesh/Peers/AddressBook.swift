// Where each peer may be reached.
//
// Three sources only ever add to each other: what the peer announces (gossip), what this node was told (configuration, a
// token, `node connect`), and where dialling worked before, which is kept on disk. Nothing that is known is forgotten
// because a source is empty; and none of it is believed: the key decides who answers.
//
//   mesh_address   node ID (32), address as text   ->   wall time of the last success (u64, ms)

package import Base
package import LocalDB
package import Reactor
import Synchronization

/// The addresses of all peers.
package final class AddressBook: Sendable {
  private struct Entry {
    var announced: [HostAndPort] = []
    var told: [HostAndPort] = []
    /// The last success first.
    var worked: [(address: HostAndPort, at: UInt64)] = []
  }

  /// Addresses of one peer that are tried in one round; a peer that announces more is not tried at the others.
  package static let candidatesMax = 16
  /// Successes kept for a peer: homes have a few, and old ones are worth little.
  private static let workedMax = 4
  /// A success is noted on disk again after this many milliseconds: an hour.
  private static let noteEvery: UInt64 = 3_600_000

  private let entries: Mutex<[NodeID: Entry]>
  private let database: LocalDatabase?
  private let tree: Tree?

  /// A book that is kept in `database`; `nil` keeps it in memory.
  ///
  /// Blocks the thread, for start-up.
  package init(_ database: LocalDatabase?) throws {
    self.database = database
    tree = try database?.tree("mesh_address")
    var entries: [NodeID: Entry] = [:]
    if let database, let tree {
      try database.scan(tree) { key, value in
        guard key.count > 32, let node = NodeID(UnsafeRawBufferPointer(rebasing: key[..<32])),
          let text = String(validating: key[32...], as: UTF8.self),
          let address = HostAndPort(parsing: text), let at = UInt64(bigEndianBytes: Array(value))
        else { return true }
        entries[node, default: Entry()].worked.append((address, at))
        return true
      }
    }
    for node in entries.keys { entries[node]?.worked.sort { $0.at > $1.at } }
    self.entries = Mutex(entries)
  }

  /// Where `node` is to be tried, the likeliest first.
  package func candidates(of node: NodeID) -> [HostAndPort] {
    let entry = entries.withLock { $0[node] } ?? Entry()
    var candidates: [HostAndPort] = []
    for address in entry.worked.map(\.address) + entry.announced + entry.told
    where !candidates.contains(address) {
      candidates.append(address)
    }
    return Array(candidates.prefix(Self.candidatesMax))
  }

  /// Takes what `node` announces, the best first; returns whether there is something new.
  @discardableResult
  package func announce(_ addresses: [HostAndPort], of node: NodeID) -> Bool {
    entries.withLock { entries in
      let before = entries[node]?.announced ?? []
      entries[node, default: Entry()].announced = addresses
      return addresses.contains { !before.contains($0) }
    }
  }

  /// Takes addresses of `node` that this node was told.
  package func tell(_ addresses: [HostAndPort], of node: NodeID) {
    entries.withLock { entries in
      var entry = entries[node] ?? Entry()
      entry.told = (addresses + entry.told.filter { !addresses.contains($0) })
      entry.told = Array(entry.told.prefix(Self.candidatesMax))
      entries[node] = entry
    }
  }

  /// Whether this node was told that `node` is at `address`, by an operator or a token, and not by `node` alone.
  func isTold(_ address: HostAndPort, of node: NodeID) -> Bool {
    entries.withLock { $0[node]?.told.contains(address) ?? false }
  }

  /// Notes that `node` was reached at `address`.
  nonisolated(nonsending) func worked(
    _ address: HostAndPort, of node: NodeID, at now: WallTime
  ) async throws {
    let now = UInt64(clamping: now.milliseconds)
    let (isToNote, dropped) = entries.withLock { entries -> (Bool, [HostAndPort]) in
      var entry = entries[node] ?? Entry()
      let before = entry.worked.first { $0.address == address }?.at
      entry.worked.removeAll { $0.address == address }
      entry.worked.insert((address, now), at: 0)
      let dropped = entry.worked.dropFirst(Self.workedMax).map(\.address)
      entry.worked = Array(entry.worked.prefix(Self.workedMax))
      entries[node] = entry
      let isFresh = before.map { now >= $0 && now - $0 < Self.noteEvery } ?? false
      return (!isFresh, dropped)
    }
    guard isToNote, let database, let tree else { return }
    try await database.write { transaction in
      try transaction.put(tree, Self.key(node, address), now.bigEndianBytes)
      for address in dropped { try transaction.delete(tree, Self.key(node, address)) }
    }
  }

  /// Whether a peer was reached at `host` before, or says that it is there.
  func isKnown(host: String) -> Bool {
    entries.withLock { entries in
      entries.values.contains { entry in
        entry.worked.contains { $0.address.host == host }
          || entry.announced.contains { $0.host == host }
      }
    }
  }

  private static func key(_ node: NodeID, _ address: HostAndPort) -> [UInt8] {
    node.bytes + Array(address.text.utf8)
  }
}

extension HostAndPort {
  /// The form that `init(parsing:)` reads.
  package var text: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
