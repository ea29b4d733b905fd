// The two connections of a pair of nodes, and what each may hold.

/// Which connection of a pair carries a request; the raw values are on the wire.
package enum MeshLane: UInt8, CaseIterable, Sendable {
  /// Metadata, and whatever somebody waits for.
  case control = 0
  /// Blocks.
  case bulk = 1

  /// How many bytes a stream may carry before its reader took some.
  ///
  /// Control: more than nearly every message. Bulk: a block and what comes with it, so that one is sent without a wait for
  /// credit, which on a line of 100 ms would halve its speed.
  package var windowBytes: Int {
    switch self {
    case .control: 64 << 10
    case .bulk: (1 << 20) + (64 << 10)
    }
  }

  /// How many streams a peer may have open; with `windowBytes` it bounds what a peer can make us keep.
  package var streamsMax: Int {
    switch self {
    case .control: 256
    case .bulk: 16
    }
  }

  /// How many bytes wait for the socket before those who send wait too.
  ///
  /// What is in front of a request delays it: at 10 Mbit/s this is 50 ms.
  var outboxBytesMax: Int { 64 << 10 }

  /// How many bytes of what was written the kernel may hold back, for the same reason.
  var unsentBytesMax: Int { 64 << 10 }
}
