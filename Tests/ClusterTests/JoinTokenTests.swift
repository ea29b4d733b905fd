// Tokens: what they look like, how much fits, and what is said about those that went wrong.

import Base
import Cluster
import Codecs
import Crypto
import SimulatedWorld
import Testing

@Suite struct JoinTokenTests {
  private let people = People()

  private func token(_ peers: [JoinToken.Peer]) throws -> JoinToken {
    JoinToken(
      cluster: people.cluster, invite: InviteID(high: 1, low: 2), secret: try people.secret(3),
      expiry: wall(1_700_000_000_000), peers: peers)
  }

  private func addresses(_ texts: String...) throws -> [PeerAddress] {
    try texts.map { try #require(PeerAddress($0)) }
  }

  private func usual() throws -> JoinToken {
    try token([
      JoinToken.Peer(
        node: people["A"].id,
        addresses: addresses("192.0.2.7:3901", "[2001:db8::7]:3901", "home.example.org:3901"))
    ])
  }

  @Test func hasAlwaysTheSameText() throws {
    let text = try usual().text
    #expect(
      text
        == "GRANGE1:ACOAOBYHA4DQOBYHA4DQOBYHA4DQOBYHA4DQOBYHA4DQOBYHA4DQOBYAAAAAAAAAAAAQAAAA"
        + "AAAAAAACAAAAAAAAAAAASAAAAAAAAAAAAOAKBK767FRADF2TX3WB6UAJNS3Z77H56QYG542CFODLEYGY"
        + "ABSDUNV35P7WYX3WAMCMAAACA4HT2BRAAEG3QAAAAAAAAAAAAAAAAAAHB46QCEDIN5WWKLTFPBQW24DM"
        + "MUXG64THB46XFOK2I4")
  }

  @Test func isReadHoweverItIsPasted() throws {
    let token = try usual()
    let text = token.text
    #expect(try JoinToken(reading: text) == token)
    #expect(try JoinToken(reading: text.lowercased()) == token)
    let lines = stride(from: 0, to: text.count, by: 40).map { text.dropFirst($0).prefix(40) }
    #expect(try JoinToken(reading: "\u{FEFF}  \(lines.joined(separator: "\r\n  "))\n\n") == token)
    #expect(try JoinToken(reading: text.map(String.init).joined(separator: "\u{200B} ")) == token)
  }

  // MARK: What fits

  @Test func addressesAreDroppedFirstThenPeers() throws {
    let six = try addresses(
      "[2001:db8::1]:1", "[2001:db8::2]:2", "[2001:db8::3]:3", "[2001:db8::4]:4",
      "[2001:db8::5]:5", "[2001:db8::6]:6")
    let peers = "ABCD".map { JoinToken.Peer(node: people[$0].id, addresses: six) }
    let text = try token(peers).text
    #expect(text.utf8.count <= JoinToken.charactersMax)
    let read = try JoinToken(reading: text)
    // 381 bytes: 207 without addresses, and 9 of 19.
    #expect(read.peers.map(\.node) == peers.map(\.node))
    #expect(read.peers.map(\.addresses.count) == [3, 2, 2, 2])
    #expect(read.peers[0].addresses == Array(six.prefix(3)))

    let long = String(repeating: "a23456789.", count: 20) + "example"
    let named = try "ABCD".map {
      JoinToken.Peer(node: people[$0].id, addresses: try addresses(long + ":1", long + ":2"))
    }
    let short = try JoinToken(reading: try token(named).text)
    #expect(
      short.peers == [JoinToken.Peer(node: people["A"].id, addresses: [named[0].addresses[0]])])
  }

  @Test func theLongestHostNameFits() throws {
    let name = String(repeating: String(repeating: "a", count: 61) + ".", count: 4) + "bcdef"
    #expect(name.utf8.count == PeerAddress.nameBytesMax)
    let token = try token([
      JoinToken.Peer(node: people["A"].id, addresses: try addresses(name + ":65535"))
    ])
    #expect(try JoinToken(reading: token.text) == token)
  }

  @Test func noTokenIsLongerThanAQRCodeHolds() throws {
    let random = SeededRandom(seed: 4)
    var longest = 0
    for _ in 0..<500 {
      let peers = (0..<random.below(7)).map { _ in
        JoinToken.Peer(
          node: NodeID(random: random),
          addresses: (0..<random.below(40)).map { _ in address(random) })
      }
      let text = try token(peers).text
      longest = max(longest, text.utf8.count)
      let read = try JoinToken(reading: text)
      #expect(read.text == text)
      #expect(read.peers.count <= JoinToken.peersMax)
    }
    #expect((600...JoinToken.charactersMax).contains(longest))
  }

  private func address(_ random: SeededRandom) -> PeerAddress {
    let port = UInt16(1 + random.below(65535))
    return switch random.below(3) {
    case 0: .ipv4(UInt32(truncatingIfNeeded: random.next()), port: port)
    case 1: .ipv6(high: random.next(), low: random.next(), port: port)
    default:
      .name(String(repeating: "ab.", count: random.below(80)) + "xy", port: port)
    }
  }

  // MARK: What is wrong

  private func failure(_ text: String) -> JoinTokenError? {
    do {
      _ = try JoinToken(reading: text)
      return nil
    } catch {
      return error
    }
  }

  @Test func eachMistakeIsToldByItself() throws {
    let text = try usual().text
    #expect(failure("  \n") == .empty)
    #expect(failure("https://example.org/") == .noPrefix)
    #expect(failure(String(text.dropFirst(8))) == .noPrefix)
    #expect(failure("GRANGE2:" + text.dropFirst(8)) == .otherVersion("GRANGE2:"))
    #expect(failure("GRANGEX:" + text.dropFirst(8)) == .noPrefix)
    #expect(failure("GRAN") == .truncated(characters: 4, expected: 9))
    let zero = String(text.prefix(20)) + "0" + text.dropFirst(21)
    #expect(failure(zero) == .badCharacter("0", place: 21))
    #expect(failure(text + "é") == .badCharacter("é", place: text.count + 1))
    #expect(failure(text + "A") == .mistyped)
    #expect(failure(String(repeating: text, count: 100)) == .mistyped)
    for error in [
      JoinTokenError.empty, .noPrefix, .otherVersion("GRANGE2:"), .badCharacter("0", place: 3),
      .truncated(characters: 3, expected: 4), .mistyped, .unknownContent,
    ] {
      #expect(
        error.description.contains(":") || error.description.contains(";"), "no way out: \(error)")
    }
  }

  @Test func everyTruncatedTokenIsToldFromAMistypedOne() throws {
    let text = try usual().text
    for count in 1..<text.count {
      guard case .truncated(let characters, let expected) = failure(String(text.prefix(count)))
      else {
        Issue.record(
          "\(count) characters: \(String(describing: failure(String(text.prefix(count)))))")
        return
      }
      #expect(characters == count && (count < 12 || expected == text.count))
    }
  }

  @Test func everyTypoIsFound() throws {
    let text = Array(try usual().text)
    for place in 8..<text.count {
      for wrong in ["A", "Q", "7"].map(Character.init) where text[place] != wrong {
        var typo = text
        typo[place] = wrong
        let error = failure(String(typo))
        // In the first characters, which say how many there are, a typo can look like a missing end.
        let isTold: Bool =
          switch error {
          case .mistyped: true
          case .truncated: place < 12
          default: false
          }
        #expect(isTold, "\(wrong) at \(place): \(String(describing: error))")
      }
    }
  }

  /// The checksum is right and a field has no meaning: made by a program that is not ours.
  @Test func wholeTokensOfOtherProgramsAreTold() throws {
    let encoded = try usual().text.dropFirst(8)
    var bytes = try Base32.decode(encoded)
    // The number of peers: behind the length, three IDs and six bytes of expiry.
    bytes[2 + 64 + 6] = 5
    let end = bytes.count - 4
    let checksum = Digests.digest(Array(bytes[..<end]), .blake2b512)[..<4]
    #expect(failure("GRANGE1:" + Base32.encode(Array(bytes[..<end]) + checksum)) == .unknownContent)
  }

  @Test func whatALaterVersionAddsIsKept() throws {
    var token = try usual()
    token.trailing = [1, 2, 3]
    #expect(try JoinToken(reading: token.text) == token)
  }

  @Test func itsDescriptionHidesTheSecret() throws {
    let token = try usual()
    #expect("\(token)" == "token of invite 00000000000000010000000000000002")
    #expect(String(reflecting: token) == "\(token)")
  }

  @Test func itHasOnlyCharactersOfAlphanumericQRCodes() throws {
    let allowed = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
    #expect(try usual().text.allSatisfy(allowed.contains))
  }
}
