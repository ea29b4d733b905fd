// Staged changes: the next version, or why there is none.

import Base
import Codecs
import Layout
import Testing

@Suite struct LayoutDraftTests {
  private func draft(_ roles: [UInt8: NodeRole]) throws -> LayoutDraft {
    LayoutDraft(changing: try first(roles))
  }

  @Test func theFirstVersion() throws {
    let version = try first([1: storage("a", 100)])
    #expect(version.number == 1 && version.predecessor == nil && version.cluster == cluster)
    #expect(version.parameters == LayoutParameters())
    #expect(version.parameters.replicationFactor == 3)
    #expect(version.parameters.zoneRedundancy == .maximum)
    #expect(version.storageNodes == [id(1)] && version.gateways.isEmpty)
    #expect(version.usableCapacityBytes == 100)
  }

  @Test func theNextVersion() throws {
    let before = try first([1: storage("a", 100), 2: gateway("b"), 3: gateway("b")])
    var draft = LayoutDraft(changing: before)
    draft.assign(storage("b", 50), to: id(2))
    draft.remove(id(3))
    draft.remove(id(4))
    let version = try draft.apply(under: [id(9), id(8)])
    #expect(version.number == 2 && version.predecessor == before.hash)
    #expect(version.roles.map(\.node) == [id(1), id(2)])
    #expect(version.storageNodes == [id(1), id(2)])
    #expect(version.endings == [id(8), id(9)])
    #expect(version.usableCapacityBytes == 50)
    #expect(draft.present == before)
  }

  /// What a later program wrote of a version says nothing of the next one.
  @Test func laterFieldsAreNotTakenOver() throws {
    let before = try LayoutVersion(decoding: first([1: storage("a")]).encoded + [7])
    var draft = LayoutDraft(changing: before)
    draft.assign(storage("b"), to: id(2))
    let version = try draft.apply(under: [])
    #expect(version.trailing.isEmpty && version.predecessor == before.hash)
  }

  @Test func nothingChanged() throws {
    var draft = try draft([1: storage("a"), 2: gateway("a")])
    #expect(throws: LayoutRefusal.nothingChanged) { try draft.apply(under: []) }
    draft.assign(gateway("a"), to: id(2))
    draft.remove(id(3))
    draft.assign(storage("a"), to: id(4))
    draft.remove(id(4))
    #expect(throws: LayoutRefusal.nothingChanged) { try draft.apply(under: [id(9)]) }
    draft.parameters.replicationFactor = 2
    #expect(try draft.apply(under: []).number == 2)
    #expect(throws: LayoutRefusal.nothingChanged) {
      try LayoutDraft(cluster: cluster).apply(under: [])
    }
  }

  /// Swift calls both spellings equal; the bytes of a zone are what is stored.
  @Test func anotherSpellingOfAZoneIsAChange() throws {
    var draft = try draft([1: storage("caf\u{E9}", tags: ["\u{E9}"])])
    draft.assign(storage("cafe\u{301}", tags: ["\u{E9}"]), to: id(1))
    #expect(draft.changes.changed.count == 1)
    draft.assign(storage("caf\u{E9}", tags: ["e\u{301}"]), to: id(1))
    #expect(draft.changes.changed.count == 1)
    draft.assign(storage("caf\u{E9}", tags: ["e\u{301}", "\u{E9}", "\u{E9}"]), to: id(1))
    #expect(try draft.apply(under: []).role(of: id(1))?.tags.count == 2)
  }

  @Test func somebodyStoresData() throws {
    #expect(throws: LayoutRefusal.noStorageNode) { try first([1: gateway("a")]) }
    var draft = try draft([1: storage("a")])
    draft.remove(id(1))
    #expect(throws: LayoutRefusal.noStorageNode) { try draft.apply(under: []) }
  }

  @Test func asManyStorageNodesAsCopies() throws {
    let three = [UInt8(1), 2, 3].map { ($0, storage("z\($0)", UInt64($0))) }
    var roles = Dictionary(uniqueKeysWithValues: three)
    #expect(try first(roles).usableCapacityBytes == 1)
    roles[4] = gateway("z4")
    #expect(try first(roles).storageNodes.count == 3)
    roles[4] = storage("z4")
    #expect(throws: LayoutRefusal.moreNodesThanCopies(storageNodes: 4, copies: 3)) {
      try first(roles)
    }
    #expect(try first(roles, LayoutParameters(replicationFactor: 4)).storageNodes.count == 4)
    var draft = LayoutDraft(changing: try first(roles, LayoutParameters(replicationFactor: 4)))
    draft.parameters.replicationFactor = 1
    #expect(throws: LayoutRefusal.moreNodesThanCopies(storageNodes: 4, copies: 1)) {
      try draft.apply(under: [])
    }
  }

  @Test func rolesCanBe() {
    #expect(throws: LayoutRefusal.noCapacity(id(1))) { try first([1: storage("a", 0)]) }
    for zone in ["", String(repeating: "a", count: 65), "a\nb", "a\u{1B}[2J"] {
      #expect(throws: LayoutRefusal.zoneName(id(2))) {
        try first([1: storage("a"), 2: gateway(zone)])
      }
    }
    for tags in [[String(repeating: "t", count: 33)], ["\n"], (10..<27).map { "\($0)" }] {
      #expect(throws: LayoutRefusal.tags(id(1))) { try first([1: storage("a", tags: tags)]) }
    }
    let most = storage(
      String(repeating: "z", count: 64), .max,
      tags: (10..<26).map { "\($0)" + String(repeating: "t", count: 30) })
    #expect(throws: Never.self) { try first([1: most]) }
  }

  @Test(arguments: [0, 17, -1, 1 << 40])
  func replicationFactorsCanBe(factor: Int) {
    #expect(throws: LayoutRefusal.replicationFactor) {
      try first([1: storage("a")], LayoutParameters(replicationFactor: factor))
    }
  }

  @Test func zoneRedundancyIsMet() throws {
    func refusal(_ redundancy: ZoneRedundancy, _ zones: String...) -> LayoutRefusal? {
      let roles = zones.enumerated().map { (UInt8($0.offset + 1), storage($0.element)) }
      do throws(LayoutRefusal) {
        _ = try first(
          Dictionary(uniqueKeysWithValues: roles),
          LayoutParameters(replicationFactor: 3, zoneRedundancy: redundancy))
        return nil
      } catch {
        return error
      }
    }
    #expect(refusal(.maximum, "a", "a", "a") == nil)
    #expect(refusal(.atLeast(1), "a", "a", "a") == nil)
    #expect(refusal(.atLeast(2), "a", "a", "a") == .tooFewZones(zones: 1, needed: 2))
    #expect(refusal(.atLeast(2), "a", "b", "a") == nil)
    #expect(refusal(.atLeast(3), "a", "b", "a") == .tooFewZones(zones: 2, needed: 3))
    // A copy that is not there is in no zone.
    #expect(refusal(.atLeast(2), "a") == nil)
    #expect(refusal(.atLeast(3), "a", "b") == nil)
    #expect(refusal(.atLeast(3), "a", "a") == .tooFewZones(zones: 1, needed: 2))
    #expect(refusal(.atLeast(4), "a", "b", "c") == .zoneRedundancy(replicationFactor: 3))
    #expect(refusal(.atLeast(0), "a") == .zoneRedundancy(replicationFactor: 3))
    // A gateway's zone holds nothing.
    #expect(throws: LayoutRefusal.tooFewZones(zones: 1, needed: 2)) {
      try first(
        [1: storage("a"), 2: storage("a"), 3: gateway("b")],
        LayoutParameters(zoneRedundancy: .atLeast(2)))
    }
  }

  @Test func consistencyIsConsistent() throws {
    #expect(try ConsistencyMode(word: "consistent") == .consistent)
    for word in ["degraded", "dangerous", "Consistent", ""] {
      #expect(throws: LayoutRefusal.consistency) { try ConsistencyMode(word: word) }
    }
  }

  @Test func layoutsHaveAnEnd() throws {
    var draft = LayoutDraft(cluster: cluster)
    draft.assign(storage("a"), to: id(1))
    let ids = (0...LayoutLimits.endingsMax).compactMap { number in
      RecordID([UInt8](repeating: 0, count: 30) + [UInt8(number >> 8), UInt8(number & 255)])
    }
    #expect(try draft.apply(under: ids.dropLast() + ids.prefix(9)).endings == ids.dropLast())
    #expect(throws: LayoutRefusal.tooLarge) { try draft.apply(under: ids) }
  }

  /// What an operator reads: what happened, to which thing, and what to do next.
  @Test func refusalsAreWorded() {
    let node: NodeID = id(0xAB)
    #expect(
      LayoutRefusal.moreNodesThanCopies(storageNodes: 2, copies: 1).description
        == """
        2 storage nodes for 1 copy: this version of Grange cannot distribute data over more nodes than there are \
        copies yet. Make the others gateways, or raise the replication factor.
        """)
    #expect(
      LayoutRefusal.tooFewZones(zones: 1, needed: 2).description
        == """
        The storage nodes are in 1 zone, and the zone redundancy asks for 2: assign a node of another zone, or \
        lower the zone redundancy.
        """)
    #expect(
      LayoutRefusal.noCapacity(node).description
        == "Node abababababababab would have a capacity of 0: give it a capacity, or make it a gateway."
    )
  }
}
