// Texts that nodes say about themselves, and that other nodes print.

extension BinaryReader {
  /// A label of at most `max` bytes (`String.isLabel`); throws `invalidValue` for another text.
  package mutating func label(max: Int) throws(BinaryError) -> String {
    let text = try string(max: max)
    guard text.isLabel else { throw .invalidValue }
    return text
  }
}

extension String {
  /// Whether a terminal shows the text as it is: without control characters, line breaks and marks that change
  /// the direction of writing.
  package var isLabel: Bool { !unicodeScalars.contains { isControl($0.value) } }
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
