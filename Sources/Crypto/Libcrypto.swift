// How answers of libcrypto are read.
//
// Calls here fail for two reasons only: no memory, or a libcrypto built or configured without an algorithm
// that Grange needs. Neither depends on what a client or peer sent, and neither can be gone on from, so the
// process stops and says so. Calls whose failure depends on input (a bad signature, a bad key, a tag that
// does not match) are not checked by these functions.

private import COpenSSL

/// The pointer, or the end of the process.
func required<Pointer>(_ pointer: Pointer?) -> Pointer {
  guard let pointer else { libcryptoFailed() }
  return pointer
}

/// Stops the process unless libcrypto answered 1, success.
@inline(__always)
func check(_ answer: Int32) {
  if answer != 1 { libcryptoFailed() }
}

private func libcryptoFailed() -> Never {
  var text = [CChar](repeating: 0, count: 256)
  ERR_error_string_n(ERR_peek_last_error(), &text, text.count)
  let reason = String(
    decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  fatalError(
    "libcrypto refused a basic operation (\(reason)): out of memory, or it is configured without "
      + "algorithms that Grange needs (MD5, SHA-1, SHA-256, BLAKE2b, Ed25519, X25519)")
}
