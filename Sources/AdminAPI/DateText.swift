// Dates in requests: RFC 3339, in UTC or with an offset.

package import Base

/// Reads the dates that JSON documents hold.
package enum DateText {
  /// The time that `text` names, such as `2026-11-21T09:22:00Z`; `nil` when it names none.
  package static func parse(_ text: String) -> WallTime? {
    let bytes = Array(text.utf8)
    guard bytes.count >= 20, bytes[10] | 0x20 == UInt8(ascii: "t") else { return nil }
    let fields = [(0, 4, "-"), (5, 2, "-"), (8, 2, "T"), (11, 2, ":"), (14, 2, ":"), (17, 2, "")]
    var numbers: [Int] = []
    for (start, count, separator) in fields {
      guard let number = Int(digits: bytes[start..<start + count]),
        separator.isEmpty || separator == "T" || bytes[start + count] == separator.utf8.first
      else { return nil }
      numbers.append(number)
    }
    var rest = bytes[19...]
    if rest.first == UInt8(ascii: ".") {
      let digits = rest.dropFirst().prefix { Int(digits: [$0]) != nil }
      guard !digits.isEmpty else { return nil }
      rest = rest.dropFirst(digits.count + 1)
    }
    guard let offset = offsetMinutes(rest),
      let civil = CivilTime(
        year: numbers[0], month: numbers[1], day: numbers[2], hour: numbers[3],
        minute: numbers[4], second: numbers[5])
    else { return nil }
    let time = WallTime(milliseconds: civil.wallTime.milliseconds - Int64(offset) * 60_000)
    // An offset can lead out of the years that can be written.
    return (0...9999).contains(CivilTime(time).year) ? time : nil
  }

  private static func offsetMinutes(_ bytes: ArraySlice<UInt8>) -> Int? {
    if bytes.count == 1, bytes.first.map({ $0 | 0x20 }) == UInt8(ascii: "z") { return 0 }
    let text = Array(bytes)
    guard text.count == 6, text[3] == UInt8(ascii: ":"), let hours = Int(digits: text[1...2]),
      let minutes = Int(digits: text[4...5]), hours < 24, minutes < 60
    else { return nil }
    switch text[0] {
    case UInt8(ascii: "+"): return hours * 60 + minutes
    case UInt8(ascii: "-"): return -(hours * 60 + minutes)
    default: return nil
    }
  }
}
