// HMAC-SHA256 (RFC 2104), the keyed hash of AWS Signature Version 4 and of tokens.
//
// Setting a key costs two compressions of SHA-256 and several allocations; restarting a context that has
// its key costs a copy. A key that signs more than once is therefore kept as an `HMACKey`.

private import Base
private import COpenSSL
private import Synchronization

/// HMAC with keys that are used once.
package enum HMAC {
  /// The HMAC-SHA256 (32 bytes) of `message` under `key`, which may have any length.
  package static func sha256(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
    scratch.withLock { context in
      context.setKey(key)
      message.withUnsafeBytes { context.update($0) }
      return context.finish()
    }
  }

  private static let scratch = Mutex(MACContext(name: "HMAC", outputBytes: 32, sha256: true))
}

/// A key for HMAC-SHA256 that any number of threads may use.
package final class HMACKey: Sendable {
  private let context: Mutex<MACContext>

  /// Prepares `key`, which may have any length.
  package init(_ key: [UInt8]) {
    let context = MACContext(name: "HMAC", outputBytes: 32, sha256: true)
    context.setKey(key)
    self.context = Mutex(context)
  }

  /// The HMAC-SHA256 (32 bytes) of `message`.
  package func sign(_ message: [UInt8]) -> [UInt8] {
    context.withLock { context in
      context.restart()
      message.withUnsafeBytes { context.update($0) }
      return context.finish()
    }
  }

  /// Whether `code` is the HMAC-SHA256 of `message`, compared in constant time.
  package func isValid(_ code: [UInt8], for message: [UInt8]) -> Bool {
    constantTimeEquals(sign(message), code)
  }
}

/// A context of libcrypto for a message authentication code, with one key at a time.
struct MACContext: ~Copyable, @unchecked Sendable {
  // Safe because it is only used under the lock of the object that owns it.
  private let context: OpaquePointer
  private let outputBytes: Int

  /// A context for the algorithm `name` with `outputBytes` of output; `sha256` names HMAC's digest.
  init(name: String, outputBytes: Int, sha256: Bool = false) {
    let algorithm = required(EVP_MAC_fetch(nil, name, nil))
    defer { EVP_MAC_free(algorithm) }
    context = required(EVP_MAC_CTX_new(algorithm))
    self.outputBytes = outputBytes
    var size = outputBytes
    var digest = Array("SHA256".utf8CString)
    // A parameter points to its name, which a Swift string passed to the constructor would not outlive.
    let parameterName = Array((sha256 ? OSSL_MAC_PARAM_DIGEST : OSSL_MAC_PARAM_SIZE).utf8CString)
    parameterName.withUnsafeBufferPointer { name in
      withUnsafeMutablePointer(to: &size) { size in
        digest.withUnsafeMutableBufferPointer { digest in
          let parameter =
            sha256
            ? OSSL_PARAM_construct_utf8_string(name.baseAddress, digest.baseAddress, 0)
            : OSSL_PARAM_construct_size_t(name.baseAddress, size)
          let parameters = [parameter, OSSL_PARAM_construct_end()]
          check(EVP_MAC_CTX_set_params(context, parameters))
        }
      }
    }
  }

  deinit { EVP_MAC_CTX_free(context) }

  /// Replaces the key and starts a message.
  func setKey(_ key: [UInt8]) {
    // A nil pointer would mean "keep the old key", so an empty key still points somewhere.
    let bytes = key.isEmpty ? [0] : key
    check(EVP_MAC_init(context, bytes, key.count, nil))
  }

  /// Starts a message under the same key.
  func restart() { check(EVP_MAC_init(context, nil, 0, nil)) }

  func update(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count > 0 else { return }
    check(
      EVP_MAC_update(context, bytes.assumingMemoryBound(to: UInt8.self).baseAddress, bytes.count))
  }

  func finish() -> [UInt8] {
    [UInt8](count: outputBytes) { finish(into: $0) }
  }

  func finish(into buffer: UnsafeMutableRawBufferPointer) {
    precondition(buffer.count >= outputBytes)
    var written = 0
    check(
      EVP_MAC_final(
        context, buffer.assumingMemoryBound(to: UInt8.self).baseAddress, &written, outputBytes))
  }
}
