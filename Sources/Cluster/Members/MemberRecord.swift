// What decides who is a member: admissions and endings.

package import Base

/// An admission or an ending.
package enum MemberRecord: Equatable, Sendable {
  case admission(Admission)
  case ending(Ending)

  /// The record's name.
  package var id: RecordID {
    switch self {
    case .admission(let record): record.id
    case .ending(let record): record.id
    }
  }

  /// The whole record.
  package var bytes: [UInt8] {
    switch self {
    case .admission(let record): record.bytes
    case .ending(let record): record.bytes
    }
  }

  /// The key that comes in or goes.
  package var subject: NodeID {
    switch self {
    case .admission(let record): record.body.subject
    case .ending(let record): record.body.subject
    }
  }

  /// Who says so.
  package var signer: NodeID {
    switch self {
    case .admission(let record): record.body.signer
    case .ending(let record): record.body.signer
    }
  }

  /// Whether this is the founder's own record: no other admission by the key that it admits is held.
  var isFounding: Bool {
    if case .admission(let record) = self {
      record.body.subject == record.body.signer
    } else {
      false
    }
  }

  /// Whether the signer signed this.
  package var isSignatureValid: Bool {
    switch self {
    case .admission(let record): record.isSignatureValid
    case .ending(let record): record.isSignatureValid
    }
  }

  /// What the record says.
  package var fact: MemberFact {
    switch self {
    case .admission(let record):
      MemberFact(
        id: record.id, subject: record.body.subject, signer: record.body.signer,
        statement: .admission(record.body.invite))
    case .ending(let record):
      MemberFact(
        id: record.id, subject: record.body.subject, signer: record.body.signer,
        statement: .ending(keeps: record.body.keeps))
    }
  }
}

/// What a member record says: all that `Membership` looks at.
package struct MemberFact: Equatable, Sendable {
  /// What is said of the subject.
  package enum Statement: Equatable, Sendable {
    /// It is admitted, by this invite.
    case admission(InviteID)
    /// It is ended, and these of its records stay valid.
    case ending(keeps: [RecordID])
  }

  package var id: RecordID
  package var subject: NodeID
  package var signer: NodeID
  package var statement: Statement

  package init(id: RecordID, subject: NodeID, signer: NodeID, statement: Statement) {
    self.id = id
    self.subject = subject
    self.signer = signer
    self.statement = statement
  }
}
