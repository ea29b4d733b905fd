// Laws of versions, over random ones.

import Base
import Codecs
import Layout
import SimulatedWorld
import Testing

@Suite struct LayoutPropertyTests {
  private static let seed: UInt64 = 14

  @Test func versionsAreReadAsTheyWereWritten() throws {
    let random = SeededRandom(seed: Self.seed)
    var sets = 0
    for number in 0..<400 {
      let version = try randomVersion(random)
      let read = try LayoutVersion(decoding: version.encoded)
      try #require(
        read == version && read.hash == version.hash && read.roles == version.roles
          && read.endings == version.endings && read.parameters == version.parameters,
        "seed \(Self.seed), version \(number)")
      for partition in 0...LayoutVersion.fullyReplicated {
        try #require(
          read.holders(of: partition) == version.holders(of: partition),
          "seed \(Self.seed), version \(number), partition \(partition)")
      }
      sets += Set((0..<LayoutVersion.partitionCount).map(version.holders)).count
    }
    #expect(sets > 1000, "the assignments are too tame: \(sets)")
  }

  /// Whatever is still a version after changes of its bytes is written as those bytes: no version has two forms.
  @Test func everythingThatIsReadHasOneForm() throws {
    let random = SeededRandom(seed: Self.seed)
    var accepted = 0
    for number in 0..<200 {
      let bytes = try randomVersion(random).encoded
      for _ in 0..<60 {
        var changed = bytes
        for _ in 0...random.below(2) {
          changed[random.below(changed.count)] = UInt8(random.below(random.below(2) == 0 ? 4 : 256))
        }
        guard let version = try? LayoutVersion(decoding: changed) else { continue }
        accepted += changed == bytes ? 0 : 1
        try #require(version.encoded == changed, "seed \(Self.seed), version \(number)")
      }
    }
    #expect(accepted > 1000, "\(accepted)")
  }

  @Test func holdersAreAsManyAsCopiesAndStoreData() throws {
    let random = SeededRandom(seed: Self.seed)
    for number in 0..<400 {
      let version = try randomVersion(random)
      let nodes = Set(version.storageNodes)
      let copies = min(version.parameters.replicationFactor, nodes.count)
      for partition in 0..<LayoutVersion.partitionCount {
        let holders = version.holders(of: partition)
        try #require(
          holders.count == copies && nodes.isSuperset(of: holders) && holders == holders.sorted()
            && Set(holders).count == copies, "seed \(Self.seed), version \(number)")
      }
      try #require(version.holders(of: LayoutVersion.fullyReplicated) == version.storageNodes)
      try #require(
        nodes.isDisjoint(with: version.gateways)
          && nodes.count + version.gateways.count == version.roles.count)
    }
  }

  /// With as many bytes as are usable no node is full, and with a bit more one is.
  @Test func usableCapacityFillsTheFullestNode() throws {
    let random = SeededRandom(seed: Self.seed)
    for number in 0..<400 {
      let version = try randomVersion(random)
      let usable = version.usableCapacityBytes
      var isFull = usable == .max
      for assigned in version.roles {
        guard let capacity = assigned.role.capacityBytes else { continue }
        let held = (0..<LayoutVersion.partitionCount).filter {
          version.holders(of: $0).contains(assigned.node)
        }
        // Of 256 equal partitions, so many are here: usable * held <= capacity * 256.
        func fits(_ bytes: UInt64) -> Bool {
          let (here, there) = (
            bytes.multipliedFullWidth(by: UInt64(held.count)),
            capacity.multipliedFullWidth(by: UInt64(LayoutVersion.partitionCount))
          )
          return (here.high, here.low) <= (there.high, there.low)
        }
        try #require(fits(usable), "seed \(Self.seed), version \(number)")
        if usable < .max, !fits(usable + 1) { isFull = true }
      }
      try #require(isFull, "seed \(Self.seed), version \(number)")
    }
  }

  /// Drafts of any changes: a version that differs as the draft says, or a refusal that says why in one line.
  @Test func draftsMakeWhatTheyShow() throws {
    let random = SeededRandom(seed: Self.seed)
    var (made, refused) = (0, 0)
    for number in 0..<100 {
      var history = LayoutHistory(cluster: cluster)
      for _ in 0..<20 {
        var draft =
          history.current.map { LayoutDraft(changing: $0) } ?? LayoutDraft(cluster: cluster)
        for _ in 0..<random.below(4) { change(&draft, random) }
        let next: LayoutVersion
        do throws(LayoutRefusal) {
          next = try draft.apply(under: [])
        } catch {
          refused += 1
          try #require(!error.description.isEmpty && error.description.isLabel)
          continue
        }
        made += 1
        try history.append(next)
        let difference = LayoutDifference(from: draft.present, to: next)
        try #require(
          difference == draft.changes && !difference.isEmpty
            && LayoutDraft(changing: next).changes.isEmpty,
          "seed \(Self.seed), history \(number)")
        for partition in 0..<LayoutVersion.partitionCount {
          try #require(next.holders(of: partition) == next.storageNodes)
        }
      }
    }
    #expect(made > 300 && refused > 300, "\(made), \(refused)")
  }

  private func change(_ draft: inout LayoutDraft, _ random: SeededRandom) {
    let node: NodeID = id(UInt8(1 + random.below(5)))
    switch random.below(8) {
    case 0...2:
      draft.assign(storage(["a", "b"][random.below(2)], UInt64(random.below(20))), to: node)
    case 3: draft.assign(gateway("c"), to: node)
    case 4...5: draft.remove(node)
    case 6: draft.parameters.replicationFactor = random.below(6)
    default:
      draft.parameters.zoneRedundancy =
        random.below(2) == 0 ? .maximum : .atLeast(random.below(4))
    }
  }
}
