// Where else a block may be.

package import Base

/// Other holders of blocks: the replicas on other nodes.
package protocol BlockSource: Sendable {
  /// Fills `buffer` with the bytes of a block from somewhere else; `false` when nobody has it.
  ///
  /// The bytes need not be verified; the caller does that. `buffer` is at least a block long.
  nonisolated(nonsending) func fetch(_ hash: BlockHash, into buffer: BlockBuffer) async throws
    -> Bool
}

/// A node that holds everything alone.
package struct NoOtherSource: BlockSource {
  package init() {}

  package nonisolated(nonsending) func fetch(
    _ hash: BlockHash, into buffer: BlockBuffer
  ) async throws -> Bool { false }
}
