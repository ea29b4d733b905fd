// Secrets in files of their own, as systemd credentials, containers and NixOS hand them over.

private import Glibc

/// Files that hold nothing but a secret.
enum SecretFile {
  /// Far above any token.
  private static let bytesMax = 64 << 10

  /// The secret in the file at `path`, without newlines at its end.
  ///
  /// - Parameter environment: Of this process: it says where a platform puts secrets.
  /// - Throws: `ConfigurationProblem` when it cannot be read, is empty, or others may read it.
  static func read(
    _ path: String, _ environment: [String: String]
  ) throws(ConfigurationProblem) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw ConfigurationProblem("the secret file \(path) cannot be read: \(errnoText())")
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw ConfigurationProblem("the secret file \(path) is no file")
    }
    guard status.st_mode & 0o007 == 0 || isOfPlatform(path, status, environment) else {
      throw ConfigurationProblem(
        "the secret file \(path) may be read or changed by others; run: chmod 600 \(path)")
    }
    var bytes = [UInt8](repeating: 0, count: bytesMax)
    let count = Glibc.read(descriptor, &bytes, bytes.count)
    guard count >= 0, count < bytesMax,
      var text = String(validating: bytes[..<max(0, count)], as: UTF8.self)
    else { throw ConfigurationProblem("the secret file \(path) holds no text") }
    while text.last?.isNewline == true { text.removeLast() }
    guard !text.isEmpty else { throw ConfigurationProblem("the secret file \(path) is empty") }
    return text
  }

  /// Whether whatever runs this process put the file there, and chose its mode: credentials of systemd, secrets of
  /// containers and of NixOS, and what is mounted into a container, in which there are no others.
  private static func isOfPlatform(
    _ path: String, _ status: stat, _ environment: [String: String]
  ) -> Bool {
    let folders = [environment["CREDENTIALS_DIRECTORY"], "/run/secrets"].compactMap(\.self)
    if let place = resolved(path),
      folders.compactMap(resolved).contains(where: { place.hasPrefix($0 + "/") })
    {
      return true
    }
    guard isContainer(environment) else { return false }
    var root = stat()
    return stat("/", &root) == 0 && root.st_dev != status.st_dev
  }

  /// The path without links; `nil` when nothing is there.
  private static func resolved(_ path: String) -> String? {
    guard let place = realpath(path, nil) else { return nil }
    defer { free(place) }
    return String(cString: place)
  }

  /// Whether Docker, Podman, systemd-nspawn or Kubernetes says that this is a container.
  private static func isContainer(_ environment: [String: String]) -> Bool {
    ["/.dockerenv", "/run/.containerenv"].contains { (mark: String) in access(mark, F_OK) == 0 }
      || ["container", "KUBERNETES_SERVICE_HOST"].contains { environment[$0] != nil }
  }
}

/// The words for the current `errno`.
func errnoText() -> String { String(cString: strerror(errno)) }
