// The bytes of a version, and what a reader refuses.

import Base
import Codecs
import FoundationEssentials
import Layout
import Testing

@Suite struct LayoutVersionTests {
  /// The bytes of the example in docs/formats/layout.md: `11*3` is 11 11 11, and `#` begins a comment.
  private static func documented(_ title: String) throws -> [UInt8] {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
    let page = try String(
      contentsOfFile: root.joined(separator: "/") + "/docs/formats/layout.md", encoding: .utf8)
    let section = try #require(page.components(separatedBy: "\n## \(title)\n").last)
    let block = try #require(section.components(separatedBy: "```").dropFirst().first)
    var bytes: [UInt8] = []
    for line in block.split(separator: "\n") {
      for word in line.prefix(while: { $0 != "#" }).split(separator: " ") {
        let parts = word.split(separator: "*")
        let count = try parts.count == 1 ? 1 : #require(Int(parts[1]))
        for _ in 0..<count { bytes += try #require(Hex.decode(parts[0])) }
      }
    }
    return bytes
  }

  private func example() throws -> LayoutVersion {
    var draft = LayoutDraft(changing: try first([0x11: storage("attic", 300)]))
    draft.assign(storage("attic", 300, tags: ["quiet", "old"]), to: id(0x11))
    draft.assign(gateway("vps"), to: id(0x22))
    draft.assign(storage("cellar"), to: id(0x33))
    draft.parameters.zoneRedundancy = .atLeast(2)
    return try draft.apply(under: [id(0xEE), id(0xDD), id(0xEE)])
  }

  @Test func golden() throws {
    let version = try example()
    let bytes = try Self.documented("An example")
    #expect(version.encoded == bytes)
    #expect(try LayoutVersion(decoding: bytes) == version)
    #expect(
      version.hash.hex == "aba50df6c53b7137842be32cce61c6ab3e88f93bfe31da9434ef7e9c2a567bb7")
  }

  /// What is read from the documented bytes, whoever wrote them.
  @Test func theExampleIsRead() throws {
    let version = try LayoutVersion(decoding: Self.documented("An example"))
    #expect(version.number == 2)
    #expect(version.predecessor == (try first([0x11: storage("attic", 300)])).hash)
    #expect(version.cluster == cluster)
    #expect(
      version.parameters
        == LayoutParameters(
          replicationFactor: 3, zoneRedundancy: .atLeast(2), consistency: .consistent))
    #expect(version.storageNodes == [id(0x11), id(0x33)])
    #expect(version.gateways == [id(0x22)])
    #expect(version.role(of: id(0x11)) == storage("attic", 300, tags: ["old", "quiet"]))
    #expect(version.role(of: id(0x22)) == gateway("vps"))
    #expect(version.role(of: id(0x33)) == storage("cellar", 1 << 40))
    #expect(version.role(of: id(0x44)) == nil)
    #expect(version.endings == [id(0xDD), id(0xEE)])
    for partition in 0...LayoutVersion.fullyReplicated {
      #expect(version.holders(of: partition) == [id(0x11), id(0x33)])
    }
  }

  @Test func everyChangedByteIsAnotherVersion() throws {
    let version = try example()
    for place in version.encoded.indices {
      var bytes = version.encoded
      bytes[place] ^= 1
      guard let changed = try? LayoutVersion(decoding: bytes) else { continue }
      #expect(changed != version && changed.hash != version.hash, "byte \(place)")
    }
  }

  @Test func cutVersionsAreRefused() throws {
    let bytes = try example().encoded
    for count in bytes.indices {
      #expect(throws: BinaryError.truncated) {
        try LayoutVersion(decoding: Array(bytes.prefix(count)))
      }
    }
  }

  @Test func fieldsOfALaterVersionAreKeptAndHashed() throws {
    let version = try example()
    let later = try LayoutVersion(decoding: version.encoded + [1, 2, 3])
    #expect(later.trailing == [1, 2, 3] && later.encoded == version.encoded + [1, 2, 3])
    #expect(later.hash != version.hash && later != version)
    var bytes = version.encoded
    bytes[0] = 2
    #expect(throws: BinaryError.unknownVersion(2)) { try LayoutVersion(decoding: bytes) }
  }

  // MARK: Bounds

  /// What a version of these parts is refused for; the rest is that of a good one.
  private func error(
    number: UInt64 = 2, predecessor: LayoutHash? = id(1),
    _ parameters: LayoutParameters = LayoutParameters(replicationFactor: 2),
    roles: [UInt8: NodeRole] = [1: storage("a"), 2: storage("b"), 3: storage("c")],
    holders: (Int) -> [UInt8] = { _ in [1, 2] }, endings: [RecordID] = [], trailing: Int = 0
  ) -> BinaryError? {
    do throws(BinaryError) {
      _ = try LayoutVersion(
        number: number, predecessor: predecessor, cluster: cluster, parameters: parameters,
        roles: roles.map { AssignedRole(node: id($0.key), role: $0.value) },
        holders: (0..<LayoutVersion.partitionCount).map { partition in
          holders(partition).map { id($0) }
        },
        endings: endings, trailing: [UInt8](repeating: 0, count: trailing))
      return nil
    } catch {
      return error
    }
  }

  @Test func numbersAndPredecessorsBelongTogether() {
    #expect(error() == nil)
    #expect(error(number: 1, predecessor: nil) == nil)
    #expect(error(number: 0, predecessor: nil) == .invalidValue)
    #expect(error(number: 1, predecessor: id(1)) == .invalidValue)
    #expect(error(number: 2, predecessor: nil) == .invalidValue)
    #expect(error(number: 1 << 32) == .overLimit)
  }

  @Test func parametersAreBounded() {
    let one: [UInt8: NodeRole] = [1: storage("a")]
    func error(_ factor: Int, _ zones: ZoneRedundancy = .maximum) -> BinaryError? {
      self.error(
        LayoutParameters(replicationFactor: factor, zoneRedundancy: zones), roles: one,
        holders: { _ in [1] })
    }
    #expect(error(16) == nil && error(16, .atLeast(16)) == nil && error(1, .atLeast(1)) == nil)
    #expect(error(0) == .invalidValue && error(17) == .invalidValue)
    #expect(error(2, .atLeast(3)) == .invalidValue)
  }

  @Test func rolesAreBounded() {
    func error(_ role: NodeRole) -> BinaryError? {
      self.error(roles: [1: role, 2: storage("b")])
    }
    #expect(error(storage(String(repeating: "a", count: 64))) == nil)
    #expect(error(storage(String(repeating: "a", count: 65))) == .overLimit)
    #expect(error(storage("")) == .invalidValue)
    #expect(error(storage("a\u{202E}b")) == .invalidValue)
    #expect(error(storage("a", 0)) == .invalidValue)
    #expect(error(storage("a", .max, tags: [String(repeating: "t", count: 32)])) == nil)
    #expect(error(storage("a", tags: [String(repeating: "t", count: 33)])) == .overLimit)
    #expect(error(storage("a", tags: ["\n"])) == .invalidValue)
    #expect(error(storage("a", tags: (10..<26).map { "\($0)" })) == nil)
    #expect(error(storage("a", tags: (10..<27).map { "\($0)" })) == .overLimit)
  }

  @Test func everyPartitionHasItsHolders() {
    // Nobody, a gateway, a stranger, one twice, too few, too many; and one partition alone.
    #expect(error(roles: [1: gateway("a")], holders: { _ in [] }) == .invalidValue)
    #expect(error(roles: [1: storage("a"), 2: gateway("b")]) == .overLimit)
    #expect(error(holders: { $0 == 200 ? [1, 9] : [1, 2] }) == .overLimit)
    #expect(error(holders: { $0 == 200 ? [1, 1] : [1, 2] }) == .notCanonical)
    #expect(error(holders: { $0 == 200 ? [1] : [1, 2] }) == .invalidValue)
    #expect(error(holders: { $0 == 200 ? [1, 2, 3] : [1, 2] }) == .overLimit)
    #expect(error(holders: { $0 == 200 ? [3, 2] : [1, 2] }) == nil)
    // While there are no more nodes than copies, each holds everything.
    #expect(error(LayoutParameters(replicationFactor: 3)) == .invalidValue)
    #expect(error(LayoutParameters(replicationFactor: 3), holders: { _ in [1, 2, 3] }) == nil)
  }

  /// Identifiers from 0 on.
  private func ids<Tag>(_ count: Int) -> [Identifier32<Tag>] {
    (0..<count).compactMap { number in
      Identifier32([UInt8](repeating: 0, count: 30) + [UInt8(number >> 8), UInt8(number & 255)])
    }
  }

  @Test func endingsAreBounded() {
    let ids: [RecordID] = ids(LayoutLimits.endingsMax + 1)
    #expect(error(endings: ids.dropLast().reversed()) == nil)
    #expect(error(endings: ids) == .overLimit)
    #expect(error(endings: [ids[1], ids[1]]) == .notCanonical)
  }

  @Test func theWholeIsBounded() throws {
    #expect(error(trailing: LayoutLimits.versionBytesMax) == .overLimit)
    // A hundred nodes with all that they may have, or a thousand with a long zone and half a dozen tags.
    var tags: [String] = []
    for number in 10..<26 { tags.append("\(number)" + String(repeating: "t", count: 30)) }
    func version(of count: Int, tags: [String]) throws -> LayoutVersion {
      let role = storage(String(repeating: "z", count: 64), .max, tags: tags)
      let nodes: [NodeID] = ids(count)
      return try LayoutVersion(
        number: LayoutLimits.numberMax, predecessor: id(1), cluster: cluster,
        parameters: LayoutParameters(replicationFactor: LayoutLimits.replicationFactorMax),
        roles: nodes.map { AssignedRole(node: $0, role: role) },
        holders: (0..<LayoutVersion.partitionCount).map { place in
          (0..<16).map { nodes[(place * 3 + $0) % nodes.count] }
        },
        endings: ids(LayoutLimits.endingsMax))
    }
    #expect(try version(of: 100, tags: tags).encoded.count < LayoutLimits.versionBytesMax)
    let short = tags.prefix(6).map { String($0.prefix(10)) }
    #expect(try version(of: 1000, tags: short).encoded.count < LayoutLimits.versionBytesMax)
    #expect(throws: BinaryError.overLimit) {
      try version(of: LayoutLimits.nodesMax, tags: tags)
    }
    let nodes: [NodeID] = ids(LayoutLimits.nodesMax + 1)
    #expect(throws: BinaryError.overLimit) {
      try LayoutVersion(
        number: 1, predecessor: nil, cluster: cluster, parameters: LayoutParameters(),
        roles: nodes.map { AssignedRole(node: $0, role: gateway("a")) },
        holders: Array(repeating: [nodes[0]], count: LayoutVersion.partitionCount), endings: [])
    }
  }

  /// Of each set of holders one form: another order, twice the same and unused ones are refused.
  @Test func assignmentsHaveOneForm() throws {
    let version = try LayoutVersion(
      number: 1, predecessor: nil, cluster: cluster,
      parameters: LayoutParameters(replicationFactor: 1),
      roles: [1, 2, 3].map { AssignedRole(node: id($0), role: storage("a", 1)) },
      holders: [[id(2)], [id(1)]] + Array(repeating: [id(3)], count: 254), endings: [])
    let places: [UInt8] = [0, 1] + Array(repeating: 2, count: 254)
    let sets: [UInt8] = [3, 1, 1, 1, 0, 1, 2]
    let start = Array(version.encoded.dropLast(sets.count + places.count + 1))
    #expect(version.encoded == start + sets + places + [0])
    func error(_ sets: [UInt8], _ places: [UInt8]) -> BinaryError? {
      do throws(BinaryError) {
        _ = try LayoutVersion(decoding: start + sets + places + [0])
        return nil
      } catch {
        return error
      }
    }
    let last = Array(places.dropFirst(2))
    #expect(error([3, 1, 0, 1, 1, 1, 2], [1, 0] + last) == .notCanonical)
    #expect(error([3, 1, 1, 1, 1, 1, 2], places) == .notCanonical)
    #expect(error(sets, [0, 0] + [UInt8](repeating: 1, count: 254)) == .notCanonical)
    #expect(error(sets, [0, 1] + [UInt8](repeating: 3, count: 254)) == .invalidValue)
    #expect(error([0], places) == .invalidValue)
  }

  @Test func unknownConsistencyModesAreRefused() throws {
    var bytes = try example().encoded
    // After the version of the format, the number, two names, the factor and the zones.
    let place = 1 + 1 + 32 + 32 + 2
    #expect(bytes[place] == 1)
    bytes[place] = 2
    #expect(throws: BinaryError.invalidValue) { try LayoutVersion(decoding: bytes) }
  }
}
