// When an invite lets somebody in.

import Base
import Cluster
import Crypto
import Testing

@Suite struct InviteRulesTests {
  private let people = People()

  private func membership(_ admissions: [Admission], _ endings: [Ending] = []) -> Membership {
    Membership(
      founder: people["A"].id,
      records: admissions.map(MemberRecord.admission) + endings.map(MemberRecord.ending))
  }

  @Test func anOpenInviteLetsIn() throws {
    let invite = try people.invite(1, by: "A")
    #expect(invite.body.refusal(under: membership([]), revocations: [], now: wall(999_999)) == nil)
  }

  @Test func itEndsByTheJudgesClock() throws {
    let invite = try people.invite(1, by: "A")
    #expect(
      invite.body.refusal(under: membership([]), revocations: [], now: wall(1_000_000))
        == .expired(at: wall(1_000_000), now: wall(1_000_000)))
    // A judge whose clock says 1970 takes it.
    #expect(invite.body.refusal(under: membership([]), revocations: [], now: wall(0)) == nil)
  }

  @Test func itIsUsedUp() throws {
    let invite = try people.invite(1, by: "A", uses: 2)
    var admissions = [try people.admission("B", by: "A", invite: invite.body.invite)]
    #expect(
      invite.body.refusal(under: membership(admissions), revocations: [], now: wall(0)) == nil)
    admissions.append(try people.admission("C", by: "B", invite: invite.body.invite))
    #expect(
      invite.body.refusal(under: membership(admissions), revocations: [], now: wall(0))
        == .usedUp(uses: 2, usesMax: 2))
  }

  @Test func whoTookItBackMayGo() throws {
    let invite = try people.invite(1, by: "A")
    let admissions = [try people.admission("B", by: "A")]
    let revocations = [try people.revocation(1, by: "B"), try people.revocation(2, by: "A")]
    #expect(
      invite.body.refusal(under: membership(admissions), revocations: revocations, now: wall(0))
        == .revoked(by: [people["B"].id]))
    let without = membership(admissions, [try people.ending("B", by: "A")])
    #expect(
      invite.body.refusal(under: without, revocations: revocations, now: wall(0))
        == .revoked(by: [people["B"].id]))
  }

  @Test func itEndsWithItsIssuer() throws {
    let invite = try people.invite(1, by: "B")
    let admissions = [try people.admission("B", by: "A")]
    #expect(
      invite.body.refusal(under: membership(admissions), revocations: [], now: wall(0)) == nil)
    let ending = try people.ending("B", by: "B")
    #expect(
      invite.body.refusal(under: membership(admissions, [ending]), revocations: [], now: wall(0))
        == .issuerNotMember(people["B"].id, .ended(by: [ending.id])))
  }

  // MARK: The proof

  @Test func aProofIsOfOneSessionOneInviteAndOneKey() throws {
    let secret = try people.secret(1)
    let exporter = [UInt8](repeating: 5, count: 32)
    let (invite, joiner) = (InviteID(high: 1, low: 1), people["D"].id)
    let proof = JoinProof.sign(exporter: exporter, invite: invite, joiner: joiner, with: secret)
    func isValid(
      _ proof: [UInt8], exporter: [UInt8] = exporter, invite: InviteID = invite,
      joiner: NodeID = joiner, secret: InviteSecret = secret
    ) -> Bool {
      JoinProof.isValid(
        proof, exporter: exporter, invite: invite, joiner: joiner,
        publicKey: secret.key.publicKey)
    }
    #expect(isValid(proof))
    #expect(!isValid(proof, exporter: [UInt8](repeating: 6, count: 32)))
    #expect(!isValid(proof, exporter: []))
    #expect(!isValid(proof, invite: InviteID(high: 1, low: 2)))
    #expect(!isValid(proof, joiner: people["E"].id))
    #expect(!isValid(proof, secret: try people.secret(2)))
    #expect(!isValid([]))
    var changed = proof
    changed[40] ^= 1
    #expect(!isValid(changed))
  }

  /// What is in tokens that were handed out must go on to make the same key.
  @Test func aSecretMakesAlwaysTheSameKey() throws {
    let secret = try #require(InviteSecret(Array(0..<16)))
    #expect(
      Hex.encode(secret.key.publicKey)
        == "88e4815f02bd933acaaf4e85c44acf4f6015f3193ef491bcc6c7df18f00a346a")
    #expect(InviteSecret([1, 2, 3]) == nil)
    let other = try people.secret(1)
    #expect(secret.equals(secret) && !secret.equals(other))
  }
}
