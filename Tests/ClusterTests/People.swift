// Keys with one-letter names, and what they sign: the tests speak of A, who founded, and of B, C and the others.

import Base
import Cluster
import Codecs
import Crypto
import Layout

/// Somebody with a key.
struct Person {
  let key: Ed25519PrivateKey
  let id: NodeID

  /// The key is made from the letter.
  init(_ letter: Character) { self.init(number: Int(letter.asciiValue ?? 0)) }

  init(number: Int) {
    var seed = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 32)
    seed[0] = UInt8(truncatingIfNeeded: number >> 8)
    guard let key = Ed25519PrivateKey(seed: seed), let id = NodeID(key.publicKey) else {
      preconditionFailure("a seed has 32 bytes")
    }
    self.key = key
    self.id = id
  }
}

/// A cluster that A founded.
struct People {
  let cluster: ClusterID
  let all: [Person]

  init(_ letters: String = "ABCDEFGHM", cluster: UInt8 = 7) {
    self.cluster = Self.clusterID(cluster)
    all = letters.map { Person($0) }
    names = Dictionary(uniqueKeysWithValues: zip(letters, all))
    letterOf = Dictionary(uniqueKeysWithValues: zip(all.map(\.id), letters))
  }

  private let names: [Character: Person]
  private let letterOf: [NodeID: Character]

  static func clusterID(_ byte: UInt8) -> ClusterID {
    ClusterID([UInt8](repeating: byte, count: 32)) ?? ClusterID(random: SystemRandom.shared)
  }

  subscript(letter: Character) -> Person { names[letter] ?? Person(letter) }

  /// The letters of keys, in the order of letters.
  func letters(_ keys: some Sequence<NodeID>) -> String {
    String(keys.map { letterOf[$0] ?? "?" }.sorted())
  }

  func admission(
    _ subject: Character, by signer: Character, invite: InviteID = .none, at milliseconds: Int64 = 0
  ) throws -> Admission {
    try Admission(
      signing: AdmissionBody(
        cluster: cluster, subject: self[subject].id, signer: self[signer].id, invite: invite,
        signed: WallTime(milliseconds: milliseconds)), with: self[signer].key)
  }

  func ending(
    _ subject: Character, by signer: Character, keeps: [RecordID] = [], at milliseconds: Int64 = 0
  ) throws -> Ending {
    try Ending(
      signing: EndingBody(
        cluster: cluster, subject: self[subject].id, signer: self[signer].id, keeps: keeps,
        signed: WallTime(milliseconds: milliseconds)), with: self[signer].key)
  }

  func invite(
    _ number: UInt64, by issuer: Character, uses: Int = 1, expiry: Int64 = 1_000_000
  ) throws -> Invite {
    try Invite(
      signing: InviteBody(
        cluster: cluster, invite: InviteID(high: 1, low: number),
        publicKey: secret(number).key.publicKey, issuer: self[issuer].id, usesMax: uses,
        expiry: WallTime(milliseconds: expiry)), with: self[issuer].key)
  }

  func secret(_ number: UInt64) throws -> InviteSecret {
    guard let secret = InviteSecret(InviteID(high: 9, low: number).bytes) else {
      throw BinaryError.truncated
    }
    return secret
  }

  func revocation(_ number: UInt64, by signer: Character) throws -> InviteRevocation {
    try InviteRevocation(
      signing: InviteRevocationBody(
        cluster: cluster, invite: InviteID(high: 1, low: number), signer: self[signer].id),
      with: self[signer].key)
  }

  func announcement(
    of node: Character, _ sequence: UInt64, hostName: String = "host"
  ) throws -> Announcement {
    var body = AnnouncementBody(cluster: cluster, node: self[node].id, sequence: sequence)
    body.hostName = hostName
    return try Announcement(signing: body, with: self[node].key)
  }

  func setting(
    _ name: String, _ value: String, at timestamp: UInt64, by node: Character
  ) throws -> ClusterSetting {
    try ClusterSetting(
      signing: ClusterSettingBody(
        cluster: cluster, name: name, value: value, timestamp: timestamp, node: self[node].id),
      with: self[node].key)
  }

  /// The first version of the layout: these nodes store, with a capacity of 1, 2 and so on.
  func firstLayout(_ nodes: String, under endings: [RecordID] = []) throws -> LayoutVersion {
    var draft = LayoutDraft(cluster: cluster)
    for (place, letter) in nodes.enumerated() {
      draft.assign(
        NodeRole(zone: "zone \(letter)", capacityBytes: UInt64(place) + 1), to: self[letter].id)
    }
    return try draft.apply(under: endings)
  }

  func layout(
    _ nodes: String, under endings: [RecordID] = [], by signer: Character
  ) throws -> LayoutRecord {
    try LayoutRecord(
      signing: LayoutRecordBody(firstLayout(nodes, under: endings), signer: self[signer].id),
      with: self[signer].key)
  }
}

/// A time, in milliseconds since 1970.
func wall(_ milliseconds: Int64) -> WallTime { WallTime(milliseconds: milliseconds) }
