// Layouts for tests: nodes by their number, and versions that a seed draws.

import Base
import Codecs
import Layout
import SimulatedWorld

/// An identifier of 32 equal bytes.
func id<Tag>(_ byte: UInt8) -> Identifier32<Tag> {
  guard let id = Identifier32<Tag>([UInt8](repeating: byte, count: 32)) else {
    preconditionFailure("an identifier has 32 bytes")
  }
  return id
}

/// The cluster of all tests.
let cluster: ClusterID = id(0xC0)

/// A storage node's role.
func storage(_ zone: String, _ capacityBytes: UInt64 = 1 << 40, tags: [String] = []) -> NodeRole {
  NodeRole(zone: zone, capacityBytes: capacityBytes, tags: tags)
}

/// A gateway's role.
func gateway(_ zone: String) -> NodeRole { NodeRole(zone: zone, capacityBytes: nil) }

/// The first version of a cluster of these nodes.
func first(
  _ roles: [UInt8: NodeRole], _ parameters: LayoutParameters = LayoutParameters()
) throws(LayoutRefusal) -> LayoutVersion {
  var draft = LayoutDraft(cluster: cluster, parameters: parameters)
  for (node, role) in roles { draft.assign(role, to: id(node)) }
  return try draft.apply(under: [])
}

/// A version of any shape, also of those that no draft makes yet: with more storage nodes than copies.
func randomVersion(_ random: SeededRandom) throws(BinaryError) -> LayoutVersion {
  let roles = (0...random.below(12)).map { place in
    AssignedRole(
      node: NodeID(random: random),
      role: randomRole(isGateway: place > 0 && random.below(4) == 0, random))
  }
  let nodes = roles.filter { !$0.role.isGateway }.map(\.node)
  let factor = 1 + random.below(LayoutLimits.replicationFactorMax)
  let sets = (0...random.below(40)).map { _ in
    Array(shuffled(nodes, random).prefix(factor))
  }
  let number = random.below(3) == 0 ? 1 : 2 + UInt64(random.below(1000))
  return try LayoutVersion(
    number: number, predecessor: number == 1 ? nil : LayoutHash(random: random),
    cluster: ClusterID(random: random),
    parameters: LayoutParameters(
      replicationFactor: factor,
      zoneRedundancy: random.below(2) == 0 ? .maximum : .atLeast(1 + random.below(factor))),
    roles: shuffled(roles, random),
    holders: (0..<LayoutVersion.partitionCount).map { _ in sets[random.below(sets.count)] },
    endings: (0..<random.below(5)).map { _ in RecordID(random: random) },
    trailing: random.bytes(random.below(3)))
}

private func randomRole(isGateway: Bool, _ random: SeededRandom) -> NodeRole {
  NodeRole(
    zone: ["attic", "Zürich", "x", String(repeating: "z", count: 64)][random.below(4)],
    capacityBytes: isGateway ? nil : 1 + (random.next() >> UInt64(1 + random.below(62))),
    tags: (0..<random.below(4)).map { _ in "tag \(random.below(20))" })
}

func shuffled<Element>(_ elements: [Element], _ random: SeededRandom) -> [Element] {
  var elements = elements
  for place in elements.indices { elements.swapAt(place, random.below(elements.count)) }
  return elements
}
