// Texts that nodes say about themselves, and that other nodes print.

import Codecs

extension BinaryReader {
  /// A text of at most `max` bytes that a terminal shows as it is: without control characters, line breaks
  /// and marks that change the direction of writing.
  mutating func label(max: Int) throws(BinaryError) -> String {
    let text = try string(max: max)
    for scalar in text.unicodeScalars where isControl(scalar.value) { throw .invalidValue }
    return text
  }

  /// A list of `read` values whose order is that of `isBefore`, none twice: one form for each set.
  mutating func ascending<Element>(
    max: Int, _ read: (inout BinaryReader) throws(BinaryError) -> Element,
    by isBefore: (Element, Element) -> Bool
  ) throws(BinaryError) -> [Element] {
    let elements = try list(max: max, read)
    for (element, next) in zip(elements, elements.dropFirst()) where !isBefore(element, next) {
      throw .notCanonical
    }
    return elements
  }
}

private func isControl(_ scalar: UInt32) -> Bool {
  switch scalar {
  // C0, DEL and C1.
  case 0..<0x20, 0x7F...0x9F: true
  // Line and paragraph separators, embeddings, overrides and isolates.
  case 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069: true
  default: false
  }
}
