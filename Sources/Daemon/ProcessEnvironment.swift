// The environment variables of this process.

/// Reads them from the kernel: the C library's `environ` is a mutable global of no thread.
package enum ProcessEnvironment {
  /// Linux allows 128 KiB a variable; a long environment is a few.
  private static let bytesMax = 8 << 20

  /// The variables that the process was started with; of two with one name the first counts, as in getenv(3).
  package static func read() -> [String: String] {
    guard let bytes = try? SmallFile.read("/proc/self/environ", bytesMax: bytesMax) else {
      return [:]
    }
    var variables: [String: String] = [:]
    for entry in bytes.split(separator: 0) {
      guard let equals = entry.firstIndex(of: UInt8(ascii: "=")) else { continue }
      let name = String(decoding: entry[..<equals], as: UTF8.self)
      let value = String(decoding: entry[entry.index(after: equals)...], as: UTF8.self)
      if variables[name] == nil { variables[name] = value }
    }
    return variables
  }
}
