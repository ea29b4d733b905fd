// Comparison of secrets.

private import COpenSSL

/// Whether `left` and `right` are the same bytes, in a time that depends only on their lengths.
///
/// For signatures, tokens and authentication codes: a comparison that stops at the first difference would
/// tell an attacker how many bytes were right.
package func constantTimeEquals(_ left: [UInt8], _ right: [UInt8]) -> Bool {
  left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
}

/// Whether two texts have the same UTF-8 bytes, in a time that depends only on their lengths.
package func constantTimeEquals(_ left: String, _ right: String) -> Bool {
  constantTimeEquals(Array(left.utf8), Array(right.utf8))
}
