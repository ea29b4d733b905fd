// What a stream has received and nobody has read.
//
// Invariant: what was read takes no more memory than what was not, or was when it was last looked at; a reader that is
// always a little behind keeps no more than one that is not, however long the stream.

/// Bytes in the order in which they came.
package struct StreamInbox {
  private var bytes: [UInt8] = []
  /// How many of them were read.
  private var start = 0

  package init() {}

  /// How many bytes were not read.
  package var count: Int { bytes.count - start }

  /// Whether all were read.
  package var isEmpty: Bool { count == 0 }

  /// How many bytes are in memory, with those that were read.
  package var heldBytes: Int { bytes.count }

  /// Adds what came.
  package mutating func append(_ piece: UnsafeRawBufferPointer) { bytes.append(contentsOf: piece) }

  /// Gives `body` the first bytes, at most `max` and if there are any, forgets them and returns how many.
  package mutating func take(max: Int, _ body: (UnsafeRawBufferPointer) -> Void) -> Int {
    let taken = min(max, count)
    guard taken > 0 else { return 0 }
    bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[start..<start + taken])) }
    start += taken
    // Each byte is moved at most once for each byte that was read before it.
    if start >= count {
      bytes.removeFirst(start)
      start = 0
    }
    return taken
  }

  /// Gives all memory back.
  package mutating func drop() { self = StreamInbox() }
}
