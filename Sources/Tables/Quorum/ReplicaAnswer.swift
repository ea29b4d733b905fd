// What one replica says to a write, and what its coordinator makes of all of them.

/// A replica's answer to a write.
package enum ReplicaAnswer: Equatable, Sendable {
  /// It is durable here.
  case accepted([UInt8])
  /// Something newer is held, or was and is forgotten: nothing was stored, and a retry must be above this.
  case stale(Timestamp)
  /// The operation's own condition does not hold: nothing was stored.
  case refused(code: UInt16, payload: [UInt8])

  /// Accepted, and nothing to add.
  package static var accepted: ReplicaAnswer { .accepted([]) }
}

/// Codes of `ReplicaAnswer.refused` that tables themselves use.
///
/// Those of operations begin at 256.
package enum RefusalCode {
  /// The timestamp is too far ahead of the replica's clock; the payload is that clock as a timestamp (u64).
  package static let clockAhead: UInt16 = 1
  /// Of a repair: this replica dropped a tombstone that the reader may not have seen; read again.
  package static let floorRaised: UInt16 = 2
  /// The first code that operations may use.
  package static let firstOfOperations: UInt16 = 256
}

/// The outcome of a write at its quorum.
package enum WriteOutcome: Equatable, Sendable {
  /// A write quorum of every live layout version accepted; their payloads, in the order of arrival.
  case accepted([[UInt8]])
  /// Not acknowledged: a retry above this timestamp can succeed.
  ///
  /// When it `mayExist`, a replica has stored it or may have: the retry is another write, with another upload ID.
  case stale(Timestamp, mayExist: Bool)
  /// Not acknowledged, and a retry with another timestamp would not be.
  ///
  /// When it `mayExist`, nobody may be told that it was not done.
  case refused(code: UInt16, payload: [UInt8], mayExist: Bool)

  /// Whether the write is acknowledged.
  package var isAccepted: Bool {
    if case .accepted = self { true } else { false }
  }

  /// Whether a replica may have stored a write that is not acknowledged.
  package var mayExist: Bool {
    switch self {
    case .accepted: false
    case .stale(_, let mayExist), .refused(_, _, let mayExist): mayExist
    }
  }

  /// The same, where a copy that was sent before may be on some replica.
  var afterCopies: WriteOutcome {
    switch self {
    case .accepted: self
    case .stale(let timestamp, _): .stale(timestamp, mayExist: true)
    case .refused(let code, let payload, _): .refused(code: code, payload: payload, mayExist: true)
    }
  }
}
