// What is staged, and its bytes (docs/formats/cluster-state.md).

import Base
import Codecs
import Layout
import Testing

@Suite struct StagedLayoutTests {
  private func staged() throws -> StagedLayout {
    var staged = StagedLayout(base: 3)
    try staged.assign(storage("attic", 300, tags: ["old"]), to: id(0x22))
    try staged.assign(gateway("vps"), to: id(0x11))
    try staged.remove(id(0x33))
    staged.parameters = LayoutParameters(replicationFactor: 2, zoneRedundancy: .atLeast(2))
    return staged
  }

  @Test func golden() throws {
    let bytes = try staged().encoded
    var text = Hex.encode(bytes)
    for byte in ["11", "22", "33"] {
      text.replace(String(repeating: byte, count: 32), with: " <\(byte)> ")
    }
    #expect(
      text == "010302 <11> 03767073" + "0000 <22> 056174746963" + "01ac02" + "01036f6c64"
        + "01 <33> 01020201")
    #expect(try StagedLayout(decoding: bytes) == staged())
    #expect(StagedLayout(base: 0).encoded == [1, 0, 0, 0, 0])
  }

  /// The example of docs/formats/cluster-state.md.
  @Test func documented() throws {
    var staged = StagedLayout(base: 0)
    try staged.assign(gateway("vps"), to: id(0x11))
    try staged.remove(id(0x22))
    staged.parameters = LayoutParameters(replicationFactor: 2)
    let (node, other) = (String(repeating: "11", count: 32), String(repeating: "22", count: 32))
    #expect(
      Hex.encode(staged.encoded) == "0100" + "01\(node)037670730000" + "01\(other)" + "01020001")
  }

  @Test func oneChangeForEachNode() throws {
    var staged = try staged()
    try staged.remove(id(0x22))
    #expect(staged.assigned.map(\.node) == [id(0x11)] && staged.removed == [id(0x22), id(0x33)])
    try staged.assign(storage("b"), to: id(0x33))
    #expect(staged.removed == [id(0x22)])
    staged.forget(id(0x33))
    staged.forget(id(0x22))
    staged.forget(id(0x11))
    staged.parameters = nil
    #expect(staged.isEmpty)
  }

  @Test func otherBytesAreRefused() throws {
    let bytes = try staged().encoded
    for count in bytes.indices {
      #expect(throws: BinaryError.self) { try StagedLayout(decoding: Array(bytes.prefix(count))) }
    }
    #expect(throws: BinaryError.unexpectedBytes) { try StagedLayout(decoding: bytes + [0]) }
    #expect(throws: BinaryError.unknownVersion(2)) {
      try StagedLayout(decoding: [2] + bytes.dropFirst())
    }
    var both = StagedLayout(base: 0)
    try both.remove(id(0x11))
    let removal = both.encoded
    try both.assign(gateway("z"), to: id(0x11))
    // Given a role, and none.
    let twice = both.encoded.dropLast(2) + removal.suffix(34)
    #expect(throws: BinaryError.notCanonical) { try StagedLayout(decoding: Array(twice)) }
  }

  @Test func whatCannotBeIsNotStaged() throws {
    var staged = StagedLayout(base: 0)
    #expect(throws: LayoutRefusal.noCapacity(id(1))) {
      try staged.assign(storage("a", 0), to: id(1))
    }
    #expect(throws: LayoutRefusal.zoneName(id(1))) { try staged.assign(gateway(""), to: id(1)) }
    #expect(staged.isEmpty)
  }

  /// When another version comes in between, the changes are made on top of that one.
  @Test func changesAreMadeAgainOnTopOfAnotherVersion() throws {
    var staged = StagedLayout(base: 0)
    try staged.assign(storage("b", 2), to: id(2))
    try staged.remove(id(3))
    let alone = try staged.draft(changing: nil, of: cluster, parameters: LayoutParameters())
      .apply(under: [])
    #expect(alone.number == 1 && alone.storageNodes == [id(2)])
    let present = try first([1: storage("a", 1), 3: storage("c", 3)])
    let next = try staged.draft(changing: present, of: cluster, parameters: LayoutParameters())
      .apply(under: [])
    #expect(next.number == 2 && next.predecessor == present.hash)
    #expect(next.storageNodes == [id(1), id(2)])
    // What is in effect is no change.
    #expect(
      staged.draft(changing: next, of: cluster, parameters: LayoutParameters()).changes.isEmpty)
  }
}
