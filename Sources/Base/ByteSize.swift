// Sizes as people write them in configuration files and on command lines.

/// A number of bytes with a unit.
package enum ByteSize {
  /// Reads `"512"`, `"8K"`, `"1M"`, `"500G"`, `"2T"` and `"1.5G"`.
  ///
  /// Powers of 1024, as the operating system's tools count. `KiB`, `MiB`, ... are the same; `KB`, `MB`, ... are
  /// powers of 1000, as disk makers count. Case does not matter. `nil` when the text is none of these,
  /// negative or too large.
  package static func parse(_ text: String) -> UInt64? {
    let characters = Array(text.utf8)
    let split =
      characters.firstIndex { !(48...57).contains($0) && $0 != UInt8(ascii: ".") }
      ?? characters.count
    guard split > 0, let number = Double(String(decoding: characters[..<split], as: UTF8.self))
    else { return nil }
    let unit = String(decoding: characters[split...], as: UTF8.self).lowercased()
    guard let factor = factor(of: unit.trimmingPrefix { $0 == " " }) else { return nil }
    if let whole = UInt64(String(decoding: characters[..<split], as: UTF8.self)) {
      let (product, overflow) = whole.multipliedReportingOverflow(by: factor)
      return overflow ? nil : product
    }
    let product = number * Double(factor)
    return product < 9.0e18 ? UInt64(product) : nil
  }

  private static func factor(of unit: Substring) -> UInt64? {
    switch unit {
    case "", "b": 1
    case "k", "kib": 1 << 10
    case "m", "mib": 1 << 20
    case "g", "gib": 1 << 30
    case "t", "tib": 1 << 40
    case "p", "pib": 1 << 50
    case "kb": 1_000
    case "mb": 1_000_000
    case "gb": 1_000_000_000
    case "tb": 1_000_000_000_000
    case "pb": 1_000_000_000_000_000
    default: nil
    }
  }

  /// At most four digits and a unit of powers of 1024, for people: `"1.5 GiB"`.
  package static func describe(_ bytes: UInt64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    var index = 0
    var tenths = bytes.multipliedReportingOverflow(by: 10).overflow ? bytes : bytes * 10
    if tenths == bytes && bytes > 0 {
      tenths = bytes >> 10 * 10
      index = 1
    }
    while tenths >= 10240 && index < units.count - 1 {
      tenths = (tenths + 512) >> 10
      index += 1
    }
    if tenths % 10 == 0 || index == 0 { return "\(tenths / 10) \(units[index])" }
    return "\(tenths / 10).\(tenths % 10) \(units[index])"
  }
}
