// What members and the disk can send of the layout, and what operators can ask of it.

import Base
import Codecs
import Layout

extension Fuzzer {
  /// The input is what to read it as, and a version, staged changes, or changes that are made one after the other.
  static let layout = Fuzzer(
    "layout",
    of: [
      "Layout/LayoutVersion", "Layout/LayoutHistory", "Layout/NodeRole", "Layout/LayoutParameters",
      "Layout/PartitionAssignment", "Layout/StagedLayout", "Layout/LayoutDraft",
      "Layout/LayoutDifference",
      "Codecs/Labels",
    ]
  ) { input in
    guard let form = input.first else { return }
    let bytes = Array(input.dropFirst())
    switch form % 3 {
    case 0:
      guard let version = try? LayoutVersion(decoding: bytes) else { return }
      try require(version.encoded == bytes, "another version")
      try checkVersion(version)
    case 1:
      guard let staged = try? StagedLayout(decoding: bytes) else { return }
      try require(staged.encoded == bytes, "other changes")
      try checkStaged(staged)
    default: try checkDrafts(bytes)
    }
  }

  private static func checkVersion(_ version: LayoutVersion) throws {
    let nodes = version.storageNodes
    try require(
      !nodes.isEmpty && nodes.count + version.gateways.count == version.roles.count, "roles")
    let copies = min(version.parameters.replicationFactor, nodes.count)
    for partition in 0..<LayoutVersion.partitionCount {
      let holders = version.holders(of: partition)
      try require(holders.count == copies, "\(holders.count) holders of \(partition)")
      try require(Set(holders).isSubset(of: nodes) && Set(holders).count == copies, "who holds it")
    }
    try require(version.holders(of: LayoutVersion.fullyReplicated) == nodes, "fully replicated")
    try require(Quorum.write(of: copies) + Quorum.read(of: copies) > copies, "quorums")
    if copies == nodes.count {
      let capacities = version.roles.compactMap(\.role.capacityBytes)
      try require(version.usableCapacityBytes == capacities.min(), "usable capacity")
    }
    try require(LayoutDifference(from: version, to: version).isEmpty, "differs from itself")
    try require(LayoutDraft(changing: version).changes.isEmpty, "a change that nobody made")
  }

  private static func checkStaged(_ staged: StagedLayout) throws {
    guard let cluster = ClusterID([UInt8](repeating: 1, count: 32)) else { return }
    var again = StagedLayout(base: staged.base)
    for change in staged.assigned { try again.assign(change.role, to: change.node) }
    for node in staged.removed { try again.remove(node) }
    again.parameters = staged.parameters
    try require(again == staged, "made again")
    let draft = staged.draft(changing: nil, of: cluster, parameters: LayoutParameters())
    guard let version = try applied(draft) else { return }
    try checkVersion(version)
    let next = staged.draft(changing: version, of: cluster, parameters: LayoutParameters())
    try require(next.changes.isEmpty, "what is in effect is a change")
  }

  /// Each change is three bytes: what to do, with which of seven nodes, and a number.
  private static func checkDrafts(_ bytes: [UInt8]) throws {
    guard let cluster = ClusterID([UInt8](repeating: 1, count: 32)) else { return }
    var history = LayoutHistory(cluster: cluster)
    var draft = LayoutDraft(cluster: cluster)
    var place = 0
    // Each version that is made is hashed, read and written again: a few show what many would.
    while place + 3 <= min(bytes.count, 300) {
      let (change, number, value) = (bytes[place], bytes[place + 1], bytes[place + 2])
      place += 3
      guard let node = NodeID([UInt8](repeating: number % 7, count: 32)) else { return }
      switch change % 8 {
      case 0...1:
        draft.assign(NodeRole(zone: "\(value % 4)", capacityBytes: UInt64(value)), to: node)
      case 2:
        let text = String(decoding: bytes[place...].prefix(Int(value)), as: UTF8.self)
        draft.assign(NodeRole(zone: text, capacityBytes: nil, tags: [text, "a", "a"]), to: node)
      case 3: draft.remove(node)
      case 4: draft.parameters.replicationFactor = Int(value)
      case 5:
        draft.parameters.zoneRedundancy = value == 0 ? .maximum : .atLeast(Int(value % 19))
      default:
        guard let next = try applied(draft) else { continue }
        try checkVersion(next)
        try require(
          LayoutDifference(from: history.current, to: next) == draft.changes, "another change")
        try history.append(next)
        draft = LayoutDraft(changing: next)
      }
    }
    for version in history.versions {
      try require(try LayoutVersion(decoding: version.encoded) == version, "read again")
    }
  }

  private static func applied(_ draft: LayoutDraft) throws -> LayoutVersion? {
    do throws(LayoutRefusal) {
      return try draft.apply(under: [])
    } catch {
      try require(!error.description.isEmpty && error.description.isLabel, "words: \(error)")
      return nil
    }
  }
}
