// What strangers and gossip can send of the cluster: records, join messages, tokens, and whole states.

import Base
import Cluster
import Codecs
import Crypto
import Layout
import SimulatedWorld

extension Fuzzer {
  /// The input is a record; or a kind and the body of one, which gets a signature that is none.
  static let clusterRecords = Fuzzer(
    "cluster-records",
    of: [
      "Cluster/Records/SignedRecord", "Cluster/Records/ClusterRecord",
      "Codecs/Labels", "Cluster/Members/Admission",
      "Cluster/Members/Ending", "Cluster/Invites/Invite", "Cluster/State/Announcement",
      "Cluster/State/ClusterSetting",
      "Cluster/State/PeerAddress", "Cluster/Records/LayoutRecord",
    ]
  ) { input in
    try checkRecord(input)
    guard let kind = input.first else { return }
    var writer = BinaryWriter()
    writer.version(1)
    writer.u8(1 + kind % 7)
    writer.nested { $0.raw(input.dropFirst()) }
    writer.raw([UInt8](repeating: 0, count: 64))
    try checkRecord(writer.bytes)
  }

  private static func checkRecord(_ bytes: [UInt8]) throws {
    guard let record = try? ClusterRecord(decoding: bytes) else { return }
    try require(record.bytes == bytes, "other bytes")
    try require(bytes.count <= RecordLimits.longestBytesMax, "a record of \(bytes.count) bytes")
    try require(try ClusterRecord(decoding: bytes) == record, "read twice")
    switch record {
    case .admission(let record): try checkBody(record)
    case .ending(let record): try checkBody(record)
    case .invite(let record): try checkBody(record)
    case .revocation(let record): try checkBody(record)
    case .announcement(let record):
      try checkBody(record)
      for candidate in record.body.addresses { try checkAddress(candidate.address) }
    case .setting(let record): try checkBody(record)
    case .layout(let record): try checkBody(record)
    }
  }

  /// The fields, written again, are the body that was read.
  private static func checkBody<Body>(_ record: Signed<Body>) throws {
    var writer = BinaryWriter()
    writer.nested { record.body.write(to: &$0) }
    let body = record.bytes[2..<(record.bytes.count - 64)]
    try require(body.elementsEqual(writer.bytes), "written again: \(hex(writer.bytes))")
    try require(record.bytes.count <= Body.recordBytesMax, "too long a record")
  }

  private static func checkAddress(_ address: PeerAddress) throws {
    try require(PeerAddress(address.text) == address, "read again: \(address.text)")
    try require(!address.text.utf8.contains { $0 <= 0x20 || $0 == 0x7F }, "an address of blanks")
  }

  /// The input is what to read it as, and a message, a token or an address.
  static let join = Fuzzer(
    "join",
    of: [
      "Cluster/Invites/JoinRequest", "Cluster/Invites/JoinAnswer", "Cluster/Invites/JoinToken",
      "Cluster/Invites/JoinToken+Reading", "Cluster/State/PeerAddress", "Codecs/Base32",
    ]
  ) { input in
    guard let form = input.first else { return }
    let bytes = Array(input.dropFirst())
    let text = String(decoding: bytes, as: UTF8.self)
    switch form % 6 {
    case 0:
      guard let request = try? JoinRequest(decoding: bytes) else { return }
      try require(request.encoded == bytes, "another request")
    case 1:
      guard let answer = try? JoinAnswer(decoding: bytes) else { return }
      try require(answer.encoded == bytes, "another answer")
    case 2: try checkToken(text)
    case 3:
      // As if somebody had made a token of these bytes, with the right length and checksum.
      let length = UInt16(clamping: bytes.count + 6)
      let start = [UInt8(length >> 8), UInt8(length & 255)] + bytes
      let checksum = Digests.digest(start, .blake2b512)[..<4]
      try checkToken(JoinToken.prefix + Base32.encode(start + checksum))
    case 4:
      guard let address = PeerAddress(text) else { return }
      try checkAddress(address)
    default:
      guard let decoded = try? Base32.decode(text) else { return }
      try require(Base32.encode(decoded) == text.uppercased(), "another text")
    }
  }

  private static func checkToken(_ text: String) throws {
    let token: JoinToken
    do throws(JoinTokenError) {
      token = try JoinToken(reading: text)
    } catch {
      try require(
        !error.description.unicodeScalars.contains { $0.value < 0x20 }, "a message of many lines")
      return
    }
    let again = token.text
    try require(again.utf8.count <= JoinToken.charactersMax, "too long a token")
    try require((try? JoinToken(reading: again)) == token, "another token")
  }

  // MARK: State

  /// The input is a state as a joiner gets it; or, after a byte of 255, numbers of records that are merged in turn
  /// into a state of narrow bounds.
  static let clusterState = Fuzzer(
    "cluster-state",
    of: [
      "Cluster/State/ClusterState", "Cluster/State/ClusterState+Merging",
      "Cluster/State/ClusterState+Bounds",
      "Cluster/State/ClusterState+Exchange", "Cluster/State/ClusterState+Layout",
      "Cluster/State/MemberRecords",
      "Cluster/State/SortedRecords",
      "Cluster/Members/Membership", "Cluster/Members/MemberIndex",
      "Cluster/Members/StandingEndings", "Cluster/Members/BitMatrix",
    ]
  ) { input in
    if input.first == 255 {
      // Each takes a signature to verify: as many as fill a state of such bounds, and a few more.
      try checkMerging(input.dropFirst().prefix(24))
    } else if let state = try? ClusterState(decoding: input, now: WallTime(milliseconds: 1000)) {
      try checkState(state)
    }
  }

  private static func checkMerging(_ choices: ArraySlice<UInt8>) throws {
    var limits = StateLimits()
    limits.memberRecordsMax = 7
    limits.memberRecordsOfOneMax = 3
    limits.invitesMax = 2
    limits.invitesOfOneMax = 1
    limits.revocationsOfInviteMax = 1
    limits.announcementsMax = 2
    limits.settingsMax = 2
    limits.settingsOfOneMax = 1
    var state = ClusterState(cluster: pool.cluster, founder: pool.founder, limits: limits)
    for choice in choices {
      let record = pool.records[Int(choice) % pool.records.count]
      let before = Set(state.ids)
      switch state.merge(record, now: WallTime(milliseconds: 1000)) {
      case .added(let id, let removed):
        try require(
          Set(state.ids) == before.subtracting(removed).union([id]) && !before.contains(id),
          "what was added and removed")
      case .known, .superseded, .refused:
        try require(Set(state.ids) == before, "a change that was not told")
      }
      try require(
        state.members.count <= 7 && state.invites.count <= 2 && state.announcements.count <= 2
          && state.settings.count <= 2 && state.layoutRecords.count <= 1, "a bound")
    }
    try checkState(state)
  }

  private static func checkState(_ state: ClusterState) throws {
    let now = WallTime(milliseconds: 1000)
    let again: ClusterState
    do throws(BinaryError) {
      again = try ClusterState(decoding: state.encoded, now: now, limits: state.limits)
    } catch {
      throw BrokenProperty(description: "written again: \(error)")
    }
    let lost = state.ids.filter { again[$0] == nil }.compactMap { state[$0] }
    let refusals = lost.map { record in
      var again = again
      return "\(record.kind): \(again.merge(record.bytes, now: now))"
    }
    try require(
      again.ids == state.ids && again.digest == state.digest, "another set, without \(refusals)")
    try require(again.membership.members == state.membership.members, "other members")
    try require(state.missing(from: again.shortIDs(salt: 3), salt: 3).isEmpty, "missing")
    for key in state.membership.members {
      try require(state.membership.absence(of: key) == nil, "an absent member")
    }
    for record in state.missing(from: [], salt: 5) {
      try require(state.wasEverAdmitted(try ClusterRecord(decoding: record).signer), "a stranger")
    }
  }

  /// Records that six keys signed.
  private static let pool: (cluster: ClusterID, founder: NodeID, records: [[UInt8]]) = {
    guard let pool = try? RecordPool(), let founder = pool.ids.first else {
      fatalError("a record that cannot be signed")
    }
    return (pool.cluster, founder, pool.records)
  }()
}

/// Two hundred and some records, each of which refers to keys, invites and records that others refer to as well.
private struct RecordPool {
  let cluster = ClusterID(random: SeededRandom(seed: 1))
  private(set) var ids: [NodeID] = []
  private(set) var records: [[UInt8]] = []
  private var keys: [Ed25519PrivateKey] = []
  private var signed: [RecordID] = []

  init() throws {
    let random = SeededRandom(seed: 2)
    for number in 0..<6 {
      let seed = [UInt8](repeating: UInt8(number), count: 32)
      guard let key = Ed25519PrivateKey(seed: seed), let id = NodeID(key.publicKey) else {
        continue
      }
      keys.append(key)
      ids.append(id)
    }
    for number in 0..<225 { try add(number % 9, random) }
  }

  private mutating func add(_ kind: Int, _ random: SeededRandom) throws {
    let signer = random.below(ids.count)
    let (id, key) = (ids[signer], keys[signer])
    let subject = ids[random.below(ids.count)]
    let invite = InviteID(high: 1, low: UInt64(1 + random.below(4)))
    let time = WallTime(milliseconds: 500 + Int64(random.below(1000)))
    switch kind {
    case 0...2:
      let admission = try Admission(
        signing: AdmissionBody(
          cluster: cluster, subject: subject, signer: id, invite: invite, signed: time), with: key)
      signed.append(admission.id)
      records.append(admission.bytes)
    case 3:
      let keeps = signed.filter { _ in random.below(2) == 0 }
      records.append(
        try Ending(
          signing: EndingBody(
            cluster: cluster, subject: subject, signer: id, keeps: keeps, signed: time), with: key
        ).bytes)
    case 4:
      records.append(
        try Invite(
          signing: InviteBody(
            cluster: cluster, invite: invite, publicKey: keys[0].publicKey, issuer: id,
            usesMax: 1 + random.below(2), expiry: time), with: key
        ).bytes)
    case 5:
      let body = InviteRevocationBody(cluster: cluster, invite: invite, signer: id)
      records.append(try InviteRevocation(signing: body, with: key).bytes)
    case 6:
      let body = AnnouncementBody(cluster: cluster, node: id, sequence: UInt64(random.below(3)))
      records.append(try Announcement(signing: body, with: key).bytes)
    case 7:
      var draft = LayoutDraft(cluster: cluster)
      draft.assign(NodeRole(zone: "z", capacityBytes: 1), to: subject)
      // The founder signs one of four.
      let endings = Array(signed.suffix(random.below(3)))
      records.append(
        try LayoutRecord(
          signing: LayoutRecordBody(try draft.apply(under: endings), signer: id), with: key
        ).bytes)
    default:
      let body = ClusterSettingBody(
        cluster: cluster, name: ["a", "b", "c", "d"][random.below(4)], value: "",
        timestamp: UInt64(random.below(3)), node: id)
      records.append(try ClusterSetting(signing: body, with: key).bytes)
    }
  }
}
