// The bytes of records (docs/formats/cluster-state.md), and what a reader refuses.

import Base
import Cluster
import Codecs
import Crypto
import Testing

@Suite struct RecordFormatTests {
  private let people = People()

  private func announcement() throws -> Announcement {
    var body = AnnouncementBody(cluster: people.cluster, node: people["B"].id, sequence: 5)
    body.hostName = "attic"
    body.zone = "home"
    body.capacityBytes = 1 << 40
    body.tags = ["old", "quiet"]
    body.program = "0.2.0"
    body.protocols = ProtocolRange(1, 2)
    body.features = [3, 300]
    body.addresses = [
      CandidateAddress(.lan, .ipv4(0xC0A8_0102, port: 3901)),
      CandidateAddress(AddressKind(rawValue: 99), .name("a.example", port: 1)),
    ]
    body.servesS3 = true
    return try Announcement(signing: body, with: people["B"].key)
  }

  /// One of each kind.
  private func all() throws -> [ClusterRecord] {
    let admission = try people.admission("B", by: "A", invite: InviteID(high: 1, low: 1), at: 1000)
    var invite = try people.invite(1, by: "A", uses: 300).body
    invite.zone = "home"
    invite.replaces = people["C"].id
    return try [
      .admission(admission), .ending(people.ending("B", by: "A", keeps: [admission.id], at: -1)),
      .invite(Invite(signing: invite, with: people["A"].key)),
      .revocation(people.revocation(1, by: "B")), .announcement(announcement()),
      .setting(people.setting("replication", "auto", at: 9, by: "A")),
      .layout(people.layout("AB", by: "A")),
    ]
  }

  /// The bytes between the length of the body and the signature, with the cluster's and nodes' IDs in short.
  private func body(_ record: ClusterRecord) -> String {
    let bytes = record.bytes
    let lengthBytes = bytes[2] < 128 ? 1 : 2
    var text = Hex.encode(bytes[(2 + lengthBytes)..<(bytes.count - 64)])
    text.replace(people.cluster.hex, with: " <cluster> ")
    for letter in "ABC" { text.replace(people[letter].id.hex, with: " <\(letter)> ") }
    text.replace(Hex.encode((try? people.secret(1).key.publicKey) ?? []), with: " <key> ")
    return text.split(separator: " ").joined(separator: " ")
  }

  @Test func golden() throws {
    let records = try all()
    #expect(
      records.map(body) == [
        "<cluster> <B> <A> 00000000000000010000000000000001d00f",
        "<cluster> <B> <A> 01\(records[0].id.hex)01",
        "<cluster> 00000000000000010000000000000001 <key> <A> ac0280897a0104686f6d6501 <C>",
        "<cluster> 00000000000000010000000000000001 <B>",
        "<cluster> <B> 0000000000000005" + "056174746963" + "0104686f6d65" + "01808080808020"
          + "02036f6c64057175696574" + "05302e322e30" + "00010002" + "0203ac02"
          + "020404c0a801020f3d6301" + "09612e6578616d706c650001" + "01",
        "<cluster> 0b7265706c69636174696f6e046175746f0000000000000009 <A>",
        "<cluster> 9f03" + "0101" + String(repeating: "0", count: 64) + " <cluster> 030001"
          + "02 <B> 067a6f6e6520420102" + "00 <A> 067a6f6e6520410101" + "00" + "01020001"
          + String(repeating: "0", count: 512) + "00 <A>",
      ])
  }

  /// Ed25519 signs the same bytes in the same way: whole records are fixed, and so are their names.
  @Test func goldenNames() throws {
    let names = try all().map { String($0.id.hex.prefix(16)) }
    #expect(
      names == [
        "dce3123dcdc8ab51", "bd50dc5d72f66846", "4d644690aac1ed8c", "3d0890a8fe069139",
        "4a052d347210500e", "25dfffb88562b440", "42853f78a34a40a6",
      ])
  }

  @Test func recordsAreReadAsTheyWere() throws {
    for record in try all() {
      let read = try ClusterRecord(decoding: record.bytes)
      #expect(read == record)
      #expect(read.isSignatureValid && read.bytes == record.bytes && read.id == record.id)
      #expect(read.cluster == people.cluster)
      #expect(read.bytes[0] == 1 && read.bytes[1] == read.kind.rawValue)
    }
  }

  @Test func everyChangedByteIsFound() throws {
    for record in try all() {
      for place in record.bytes.indices {
        var bytes = record.bytes
        bytes[place] ^= 1
        guard let changed = try? ClusterRecord(decoding: bytes) else { continue }
        #expect(
          !changed.isSignatureValid && changed.id != record.id, "\(record.kind), byte \(place)")
      }
    }
  }

  @Test func cutAndLongerRecordsAreRefused() throws {
    for record in try all() {
      for count in record.bytes.indices {
        #expect(throws: BinaryError.self) {
          try ClusterRecord(decoding: Array(record.bytes.prefix(count)))
        }
      }
      #expect(throws: BinaryError.unexpectedBytes) {
        try ClusterRecord(decoding: record.bytes + [0])
      }
    }
  }

  /// Fields of a later version, in a record of each kind: kept, passed on, and covered by the signature.
  @Test func fieldsOfALaterVersionAreKeptAndSigned() throws {
    for record in try all() {
      let later = try withTrailing(record, [1, 2, 3])
      #expect(later.isSignatureValid)
      let read = try ClusterRecord(decoding: later.bytes)
      #expect(read.bytes == later.bytes)
      var bytes = later.bytes
      bytes[bytes.count - 65] ^= 1
      #expect(try !ClusterRecord(decoding: bytes).isSignatureValid)
    }
  }

  private func withTrailing(_ record: ClusterRecord, _ trailing: [UInt8]) throws -> ClusterRecord {
    let key = try #require(people.all.first { $0.id == record.signer }).key
    switch record {
    case .admission(let record):
      var body = record.body
      body.trailing = trailing
      return .admission(try Signed(signing: body, with: key))
    case .ending(let record):
      var body = record.body
      body.trailing = trailing
      return .ending(try Signed(signing: body, with: key))
    case .invite(let record):
      var body = record.body
      body.trailing = trailing
      return .invite(try Signed(signing: body, with: key))
    case .revocation(let record):
      var body = record.body
      body.trailing = trailing
      return .revocation(try Signed(signing: body, with: key))
    case .announcement(let record):
      var body = record.body
      body.trailing = trailing
      return .announcement(try Signed(signing: body, with: key))
    case .setting(let record):
      var body = record.body
      body.trailing = trailing
      return .setting(try Signed(signing: body, with: key))
    case .layout(let record):
      var body = record.body
      body.trailing = trailing
      return .layout(try Signed(signing: body, with: key))
    }
  }

  // MARK: Bounds

  private func error(_ change: (inout AnnouncementBody) -> Void) throws -> BinaryError? {
    var body = try announcement().body
    change(&body)
    do throws(BinaryError) {
      _ = try Announcement(signing: body, with: people["B"].key)
      return nil
    } catch {
      return error
    }
  }

  @Test func announcementsAreBounded() throws {
    #expect(try error { $0.hostName = String(repeating: "a", count: 64) } == nil)
    #expect(try error { $0.hostName = String(repeating: "a", count: 65) } == .overLimit)
    #expect(try error { $0.zone = String(repeating: "a", count: 65) } == .overLimit)
    #expect(try error { $0.program = String(repeating: "a", count: 65) } == .overLimit)
    #expect(try error { $0.tags = (10..<27).map { "\($0)" } } == .overLimit)
    #expect(try error { $0.tags = ["b", "a"] } == .notCanonical)
    #expect(try error { $0.tags = ["a", "a"] } == .notCanonical)
    #expect(try error { $0.features = [2, 1] } == .notCanonical)
    #expect(try error { $0.features = Array(0..<65) } == .overLimit)
    let address = CandidateAddress(.lan, .ipv4(1, port: 1))
    #expect(try error { $0.addresses = Array(repeating: address, count: 17) } == .overLimit)
    #expect(
      try error { $0.addresses = [CandidateAddress(.lan, .ipv4(1, port: 0))] } == .invalidValue)
    #expect(
      try error { $0.addresses = [CandidateAddress(.lan, .name("a b", port: 1))] } == .invalidValue)
    #expect(
      try error { $0.addresses = [CandidateAddress(.lan, .name("1.2.3.4", port: 1))] }
        == .invalidValue)
    #expect(try error { $0.trailing = [UInt8](repeating: 0, count: 2048) } == .overLimit)
  }

  /// What a terminal would obey.
  @Test(arguments: ["a\nb", "\u{1B}[2J", "a\0", "\u{9B}1m", "\u{202E}abc", "\u{2028}"])
  func controlCharactersAreRefused(text: String) throws {
    #expect(try error { $0.hostName = text } == .invalidValue)
    #expect(try error { $0.zone = text } == .invalidValue)
    #expect(try error { $0.tags = [text] } == .invalidValue)
    #expect(try error { $0.program = text } == .invalidValue)
    #expect(throws: BinaryError.invalidValue) {
      try people.setting("replication", text, at: 1, by: "A")
    }
    #expect(throws: BinaryError.invalidValue) { try people.setting(text, "", at: 1, by: "A") }
  }

  @Test func invitesAreBounded() throws {
    #expect(throws: BinaryError.invalidValue) { try people.invite(1, by: "A", uses: 0) }
    #expect(throws: BinaryError.overLimit) { try people.invite(1, by: "A", uses: 1001) }
    #expect(throws: BinaryError.invalidValue) { try people.invite(1, by: "A", expiry: 0) }
  }

  @Test func anEndingKeepsSoManyAndNoMore() throws {
    let ids = (0..<RecordLimits.keepsMax + 1).map { number in
      RecordID([UInt8](repeating: 0, count: 30) + [UInt8(number >> 8), UInt8(number & 255)])
    }.compactMap { $0 }
    let kept = Array(ids.dropLast().reversed())
    let full = try people.ending("B", by: "A", keeps: kept + kept.prefix(3))
    #expect(full.body.keeps == kept.reversed())
    #expect(throws: BinaryError.overLimit) { try people.ending("B", by: "A", keeps: ids) }
    // Room for as many bytes again.
    #expect(full.bytes.count * 3 / 2 < RecordLimits.bytesMax)
  }

  @Test func aKindThatOnlyALaterVersionKnowsIsRefused() throws {
    var bytes = try all()[0].bytes
    bytes[1] = 8
    #expect(throws: BinaryError.invalidValue) { try ClusterRecord(decoding: bytes) }
    bytes = try all()[0].bytes
    bytes[0] = 2
    #expect(throws: BinaryError.unknownVersion(2)) { try ClusterRecord(decoding: bytes) }
    #expect(throws: BinaryError.invalidValue) { try Ending(decoding: try all()[0].bytes) }
  }
}
