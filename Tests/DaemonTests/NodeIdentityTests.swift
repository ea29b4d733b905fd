import Base
import Daemon
import Testing

@Suite struct NodeIdentityTests {
  @Test func keepsItsKey() throws {
    let folder = Files.newFolder()
    let first = try NodeIdentity.open(in: folder, isNew: true, random: SystemRandom.shared)
    let again = try NodeIdentity.open(in: folder, isNew: true, random: SystemRandom.shared)
    #expect(first.id == again.id)
    #expect(Files.mode(folder + "/node_key") == 0o600)
    let other = try NodeIdentity.open(
      in: Files.newFolder(), isNew: true, random: SystemRandom.shared)
    #expect(first.id != other.id)
  }

  @Test func aLostKeyIsNotReplaced() {
    let folder = Files.newFolder()
    #expect(throws: NodeFailure.self) {
      try NodeIdentity.open(in: folder, isNew: false, random: SystemRandom.shared)
    }
    #expect(throws: NodeFailure.self) {
      try NodeIdentity.open(in: folder, isNew: false, random: SystemRandom.shared)
    }
  }

  /// The first example of RFC 8032, section 7.1, as in docs/formats/node-key.md.
  @Test func readsTheFormatOfItsPage() throws {
    let folder = Files.newFolder()
    Files.write(
      "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60\n",
      to: folder + "/node_key")
    let identity = try NodeIdentity.open(in: folder, isNew: true, random: SystemRandom.shared)
    #expect(
      identity.id.hex == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
  }

  @Test(arguments: ["", "\n", "zz\n", "9d61\n", String(repeating: "0", count: 2000)])
  func refusesADamagedKeyAndLeavesIt(text: String) {
    let folder = Files.newFolder()
    Files.write(text, to: folder + "/node_key")
    #expect(throws: NodeFailure.self) {
      try NodeIdentity.open(in: folder, isNew: true, random: SystemRandom.shared)
    }
    #expect(Files.read(folder + "/node_key") == text)
  }
}
