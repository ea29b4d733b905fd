// The two messages of the join protocol (docs/formats/cluster-state.md).

import Base
import Cluster
import Codecs
import Testing

@Suite struct JoinMessageTests {
  private let people = People()

  private func request() -> JoinRequest {
    JoinRequest(
      cluster: people.cluster, invite: InviteID(high: 1, low: 2),
      proof: [UInt8](repeating: 3, count: 64), hostName: "attic", protocols: ProtocolRange(1, 2),
      zone: "home")
  }

  @Test func goldenRequest() throws {
    #expect(
      Hex.encode(request().encoded) == "01" + people.cluster.hex
        + "00000000000000010000000000000002"
        + String(repeating: "03", count: 64) + "056174746963" + "00010002" + "0104686f6d65"
        + "00")
    let inquiry = JoinRequest.inquiry(
      people.cluster, hostName: "attic", protocols: ProtocolRange(1, 2),
      credentials: [[7, 8], [9]])
    #expect(
      Hex.encode(inquiry.encoded) == "01" + people.cluster.hex + String(repeating: "00", count: 80)
        + "056174746963" + "00010002" + "00" + "02" + "020708" + "0109")
    for request in [request(), inquiry] {
      #expect(try JoinRequest(decoding: request.encoded) == request)
    }
  }

  @Test func goldenAnswers() throws {
    let welcome = JoinAnswer.Welcome(
      cluster: people.cluster, clusterSecret: [UInt8](repeating: 9, count: 32),
      founder: people["A"].id, state: [1, 2, 3])
    #expect(
      Hex.encode(JoinAnswer.admitted(welcome).encoded) == "0101" + people.cluster.hex
        + String(repeating: "09", count: 32) + people["A"].id.hex + "03010203")
    let refusal = JoinAnswer.Refusal(code: .usedUp, text: "used")
    #expect(Hex.encode(JoinAnswer.refused(refusal).encoded) == "0102" + "03" + "0475736564" + "00")
    let ended = JoinAnswer.Refusal(code: .endedKey, text: "", grounds: [[7, 8], [9]])
    #expect(
      Hex.encode(JoinAnswer.refused(ended).encoded) == "0102" + "08" + "00" + "02" + "020708"
        + "0109")
    for answer in [JoinAnswer.admitted(welcome), .refused(refusal), .refused(ended)] {
      #expect(try JoinAnswer(decoding: answer.encoded) == answer)
    }
  }

  @Test func codesKeepTheirNumbers() {
    let codes: [JoinRefusalCode] = [
      .unknownInvite, .expired, .usedUp, .revoked, .wrongProof, .wrongCluster, .alreadyMember,
      .endedKey, .tooManyTries, .notReady, .replaceTargetUnknown, .issuerNotMember,
    ]
    #expect(codes.map(\.rawValue) == Array(1...12))
  }

  @Test func whatALaterVersionAddsIsKept() throws {
    let bytes = request().encoded + [4, 5]
    #expect(try JoinRequest(decoding: bytes).encoded == bytes)
    let refusal = JoinAnswer.refused(.init(code: JoinRefusalCode(rawValue: 200), text: "new"))
    let answer = refusal.encoded + [6]
    #expect(try JoinAnswer(decoding: answer).encoded == answer)
  }

  @Test func boundsHold() throws {
    var request = request()
    request.hostName = String(repeating: "a", count: 65)
    #expect(throws: BinaryError.overLimit) { try JoinRequest(decoding: request.encoded) }
    request.hostName = "a\u{1B}[2J"
    #expect(throws: BinaryError.invalidValue) { try JoinRequest(decoding: request.encoded) }
    request.hostName = "a"
    request.trailing = [UInt8](repeating: 0, count: JoinRequest.bytesMax)
    #expect(throws: BinaryError.overLimit) { try JoinRequest(decoding: request.encoded) }
    let text = String(repeating: "a", count: JoinAnswer.textBytesMax + 1)
    #expect(throws: BinaryError.overLimit) {
      try JoinAnswer(decoding: JoinAnswer.refused(.init(code: .expired, text: text)).encoded)
    }
    var bytes = JoinAnswer.refused(.init(code: .expired, text: "")).encoded
    bytes[1] = 3
    #expect(throws: BinaryError.invalidValue) { try JoinAnswer(decoding: bytes) }
  }

  @Test func lengthsAreCheckedBeforeAnythingIsRead() {
    #expect(JoinFrame.framed([7, 8]) == [0, 0, 0, 2, 7, 8])
    #expect(JoinFrame.length([0, 0, 8, 0], max: JoinRequest.bytesMax) == 2048)
    #expect(JoinFrame.length([0, 0, 8, 1], max: JoinRequest.bytesMax) == nil)
    #expect(JoinFrame.length([255, 255, 255, 255], max: JoinAnswer.bytesMax) == nil)
    #expect(JoinFrame.length([0, 0, 8], max: 10) == nil)
  }

  @Test func nodesSpeakTheHighestProtocolOfBoth() {
    #expect(ProtocolRange(1, 3).common(with: ProtocolRange(2, 5)) == 3)
    #expect(ProtocolRange(2, 5).common(with: ProtocolRange(1, 2)) == 2)
    #expect(ProtocolRange(1, 1).common(with: ProtocolRange(2, 2)) == nil)
  }
}
