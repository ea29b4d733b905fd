// The environment variables of this process.

private import CShims
private import Glibc

/// Reads them where the C library keeps them: a program with capabilities of its own may not read /proc/self/environ.
package enum ProcessEnvironment {
  /// The variables that the process was started with; of two with one name the first counts, as in getenv(3).
  ///
  /// Nothing in this program changes them.
  package static func read() -> [String: String] {
    var variables: [String: String] = [:]
    guard var position = cshims_environment() else { return variables }
    while let text = position.pointee {
      let entry = UnsafeRawBufferPointer(start: text, count: strlen(text))
      if let equals = entry.firstIndex(of: UInt8(ascii: "=")) {
        let name = String(decoding: entry[..<equals], as: UTF8.self)
        let value = String(decoding: entry[(equals + 1)...], as: UTF8.self)
        if variables[name] == nil { variables[name] = value }
      }
      position += 1
    }
    return variables
  }
}
