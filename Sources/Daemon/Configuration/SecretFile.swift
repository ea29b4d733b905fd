// Secrets in files of their own, as systemd credentials, containers and NixOS hand them over.

private import Glibc

/// Files that hold nothing but a secret.
enum SecretFile {
  /// Far above any token.
  private static let bytesMax = 64 << 10

  /// The secret in the file at `path`, without white space at its end.
  ///
  /// - Throws: `ConfigurationProblem` when it cannot be read, is empty, or others may read it.
  static func read(_ path: String) throws(ConfigurationProblem) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw ConfigurationProblem("the secret file \(path) cannot be read: \(errnoText())")
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw ConfigurationProblem("the secret file \(path) is no file")
    }
    // Group and others: no right at all beyond the group's reading, which systemd and Kubernetes use.
    guard status.st_mode & 0o027 == 0 else {
      throw ConfigurationProblem(
        "the secret file \(path) may be read or changed by others; run: chmod 600 \(path)")
    }
    var bytes = [UInt8](repeating: 0, count: bytesMax)
    let count = Glibc.read(descriptor, &bytes, bytes.count)
    guard count >= 0, count < bytesMax,
      var text = String(validating: bytes[..<max(0, count)], as: UTF8.self)
    else { throw ConfigurationProblem("the secret file \(path) holds no text") }
    while text.last?.isWhitespace == true { text.removeLast() }
    guard !text.isEmpty else { throw ConfigurationProblem("the secret file \(path) is empty") }
    return text
  }
}

/// The words for the current `errno`.
func errnoText() -> String { String(cString: strerror(errno)) }
