// Memory that stays where it is, for system calls to read and write while Swift values move.

/// Bytes with one address, freed with the object.
final class Memory {
  let bytes: UnsafeMutableRawBufferPointer

  init(byteCount: Int) { bytes = .allocate(byteCount: byteCount, alignment: 4096) }

  deinit { bytes.deallocate() }
}
