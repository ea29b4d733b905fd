// The character classes of RFC 9110 and RFC 9112, as branch-light tests on one byte or a run of bytes.

/// Whether `byte` may stand in a token: a method, a field name, a coding (RFC 9110, section 5.6.2).
@inline(__always)
package func isTokenCharacter(_ byte: UInt8) -> Bool {
  // One bit a character: 0x00-0x3F and 0x40-0x7F.
  let set: UInt64 = byte < 64 ? 0x03ff_6cfa_0000_0000 : 0x57ff_ffff_c7ff_fffe
  return byte < 128 && (set >> UInt64(byte & 63)) & 1 == 1
}

/// Whether `byte` may stand in a Host value: what a host name, an IP literal and a port are made of.
///
/// The grammar of a registered name allows a comma too. It is left out, as a comma is what two Host fields
/// joined by a careless proxy look like.
@inline(__always)
package func isHostCharacter(_ byte: UInt8) -> Bool {
  let set: UInt64 = byte < 64 ? 0x2fff_6ff2_0000_0000 : 0x47ff_fffe_afff_fffe
  return byte < 128 && (set >> UInt64(byte & 63)) & 1 == 1
}

/// Space or horizontal tab.
@inline(__always)
func isWhiteSpace(_ byte: UInt8) -> Bool {
  byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
}

/// What is not part of a field value, wherever it comes from: white space, CR, LF, NUL.
@inline(__always)
func isPaddingCharacter(_ byte: UInt8) -> Bool {
  byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
    || byte == UInt8(ascii: "\n") || byte == 0
}

/// Whether `bytes` hold a control character other than tab: nothing of a field value or a target.
///
/// Without an early exit, so that the compiler makes vector instructions of it.
func holdsControlCharacter(_ bytes: UnsafeRawBufferPointer) -> Bool {
  var found: UInt8 = 0
  for byte in bytes {
    let low: UInt8 = byte < 0x20 ? 1 : 0
    let notTab: UInt8 = byte != 0x09 ? 1 : 0
    let delete: UInt8 = byte == 0x7F ? 1 : 0
    found |= (low & notTab) | delete
  }
  return found != 0
}
