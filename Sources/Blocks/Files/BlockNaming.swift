// Names of blocks.

package import Base
private import Crypto

extension BlockHash {
  /// The name of a block: the first 256 bits of the BLAKE2b-512 of its bytes.
  package init(naming bytes: UnsafeRawBufferPointer) { self = Digests.blockHash(bytes) }
}
