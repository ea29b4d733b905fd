// What goes wrong with blocks, as far as someone reacts to it.

package import Base

/// An error of the block layer.
package enum BlockError: Error, Sendable {
  /// No data directory has the block, and no other source gave it.
  case missing(BlockHash)
  /// No data directory takes more blocks. The text says why and what to do.
  case storageFull(String)
  /// The directory that holds the block, or all that could, are not there: a disk that is not mounted.
  case directoryLost(String)
  /// The upload was given up while the block was on its way: the reference is released and stays so.
  case referenceReleased(BlockHash)
  /// The client took or gave its bytes too slowly while others waited for memory; its task is cancelled.
  case clientStalled
  /// A block is longer than the format allows.
  case tooLong(Int)
  /// The data directories cannot be used as configured. The text says why and what to do.
  case unusable(String)
}

extension BlockError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .missing(let hash): "block \(hash) is missing on this node"
    case .storageFull(let reason): reason
    case .directoryLost(let path):
      "the data directory \(path) is not there: mount its disk, or remove it from data_dir"
    case .referenceReleased(let hash): "block \(hash) came after its upload was given up"
    case .clientStalled: "the client stalled while others waited for memory"
    case .tooLong(let count):
      "a block of \(count) bytes is longer than \(BlockFileHeader.plainBytesMax)"
    case .unusable(let reason): reason
    }
  }
}
