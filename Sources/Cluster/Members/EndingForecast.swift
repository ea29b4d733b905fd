// What an ending would do, to be shown before somebody signs it.

package import Base

/// What would be otherwise with one ending more.
package struct EndingForecast: Equatable, Sendable {
  /// Whether it would stand: not if its signer is no member, or was ended by who stands.
  package var stands: Bool
  /// Who would be no member any more, ascending; the subject included if it is one now.
  package var membersLost: [NodeID]
  /// Who would be one again, because an ending of it would fall, ascending.
  package var membersRegained: [NodeID]
  /// Which endings would stand no more, ascending.
  package var endingsVoided: [RecordID]
  /// Which admissions would count no more, ascending.
  package var admissionsVoided: [RecordID]
}

extension Membership {
  /// What an ending of `subject` by `signer` would do that keeps `keeps` of what the subject signed.
  package func forecast(
    ending subject: NodeID, by signer: NodeID, keeping keeps: [RecordID]
  ) -> EndingForecast {
    let fact = MemberFact(
      id: Self.unsignedID, subject: subject, signer: signer,
      statement: .ending(keeps: sortedUnique(keeps)))
    let after = Membership(founder: founder, facts: facts + [fact], ranks: ranks, roles: roles)
    let (now, then) = (admissionsThatCount, after.admissionsThatCount)
    return EndingForecast(
      stands: after.standing.contains(Self.unsignedID),
      membersLost: members.filter { !after.contains($0) },
      membersRegained: after.members.filter { !contains($0) },
      endingsVoided: standing.filter { !after.standing.contains($0) },
      admissionsVoided: now.filter { !then.contains($0) })
  }

  /// Stands for the ID of a record that nobody signed yet; what is decided depends on no ID's value.
  private static let unsignedID = recordID([])
}
