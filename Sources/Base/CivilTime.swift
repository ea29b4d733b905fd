// Dates as S3 and HTTP write them, in UTC, without a locale or a time-zone database.

/// A wall time as a date of the proleptic Gregorian calendar, in UTC.
package struct CivilTime: Equatable, Sendable {
  package var year: Int
  /// 1 to 12.
  package var month: Int
  /// 1 to 31.
  package var day: Int
  package var hour: Int
  package var minute: Int
  package var second: Int
  package var millisecond: Int

  /// The date at `time`.
  ///
  /// The algorithm counts days in eras of 400 years that begin on the first of March, which puts the leap
  /// day last (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
  package init(_ time: WallTime) {
    let seconds = time.seconds
    // Wrapping, as the first whole second of what 64 bits hold does not fit itself.
    millisecond = Int(time.milliseconds &- seconds &* 1000)
    var days = seconds / 86_400
    var secondOfDay = seconds % 86_400
    if secondOfDay < 0 {
      secondOfDay += 86_400
      days -= 1
    }
    hour = Int(secondOfDay / 3600)
    minute = Int(secondOfDay % 3600 / 60)
    second = Int(secondOfDay % 60)

    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    day = Int(dayOfYear - (153 * marchMonth + 2) / 5 + 1)
    month = Int(marchMonth < 10 ? marchMonth + 3 : marchMonth - 9)
    year = Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0)
  }

  /// A date from its parts; `nil` when a part is out of range or the month has no such day.
  package init?(
    year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0,
    millisecond: Int = 0
  ) {
    guard (0...9999).contains(year), (1...12).contains(month), (0...23).contains(hour),
      (0...59).contains(minute), (0...59).contains(second), (0...999).contains(millisecond),
      day >= 1, day <= Self.days(inMonth: month, year: year)
    else { return nil }
    self.year = year
    self.month = month
    self.day = day
    self.hour = hour
    self.minute = minute
    self.second = second
    self.millisecond = millisecond
  }

  /// The wall time of this date.
  package var wallTime: WallTime {
    let shiftedYear = month <= 2 ? year - 1 : year
    let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
    let yearOfEra = shiftedYear - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    let days = era * 146_097 + dayOfEra - 719_468
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second
    return WallTime(milliseconds: Int64(seconds) &* 1000 &+ Int64(millisecond))
  }

  /// 0 for Sunday to 6 for Saturday.
  package var weekday: Int {
    let days = (wallTime.seconds - Int64(hour * 3600 + minute * 60 + second)) / 86_400
    return Int(((days + 4) % 7 + 7) % 7)
  }

  private static func days(inMonth month: Int, year: Int) -> Int {
    switch month {
    case 2: (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  private static let weekdays: [StaticString] = [
    "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat",
  ]
  static let months: [StaticString] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  /// `2026-11-21T09:22:00.123Z` (ISO 8601).
  package var iso8601: String { iso8601(millisecond: millisecond) }

  /// `2026-11-21T09:22:00.000Z`: as S3 writes when something was modified, which is to the second there as in
  /// `Last-Modified`.
  package var iso8601Seconds: String { iso8601(millisecond: 0) }

  private func iso8601(millisecond: Int) -> String {
    DateText.make { text in
      writeDay(separator: "-", to: &text)
      text.literal("T")
      writeTime(separator: ":", to: &text)
      text.literal(".")
      text.number(millisecond, 3)
      text.literal("Z")
    }
  }

  /// `Sat, 21 Nov 2026 09:22:00 GMT` (RFC 9110, section 5.6.7).
  package var httpDate: String {
    DateText.make { text in
      text.literal(Self.weekdays[weekday])
      text.literal(", ")
      text.number(day, 2)
      text.literal(" ")
      text.literal(Self.months[month - 1])
      text.literal(" ")
      text.number(year, 4)
      text.literal(" ")
      writeTime(separator: ":", to: &text)
      text.literal(" GMT")
    }
  }

  /// `20261121T092200Z`, as AWS Signature Version 4 writes dates.
  package var basic: String { DateText.make(writeBasic) }

  /// Adds `basic` to `bytes`.
  package func appendBasic(to bytes: inout [UInt8]) {
    DateText.withBytes(of: writeBasic) { bytes.append(contentsOf: $0) }
  }

  private func writeBasic(_ text: inout DateText) {
    writeDay(separator: "", to: &text)
    text.literal("T")
    writeTime(separator: "", to: &text)
    text.literal("Z")
  }

  /// `20261121`: the day of a Signature Version 4 scope.
  package var basicDay: String { DateText.make { writeDay(separator: "", to: &$0) } }

  private func writeDay(separator: StaticString, to text: inout DateText) {
    text.number(year, 4)
    text.literal(separator)
    text.number(month, 2)
    text.literal(separator)
    text.number(day, 2)
  }

  private func writeTime(separator: StaticString, to text: inout DateText) {
    text.number(hour, 2)
    text.literal(separator)
    text.number(minute, 2)
    text.literal(separator)
    text.number(second, 2)
  }

  /// Reads `20261121T092200Z`.
  package init?(basic text: String) {
    var text = text
    let time = text.withUTF8 { CivilTime(basic: UnsafeRawBufferPointer($0)) }
    guard let time else { return nil }
    self = time
  }

  /// Reads `20261121T092200Z` from bytes.
  package init?(basic bytes: UnsafeRawBufferPointer) {
    guard bytes.count == 16, bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z"),
      let year = Int(digits: bytes[0..<4]), let month = Int(digits: bytes[4..<6]),
      let day = Int(digits: bytes[6..<8]), let hour = Int(digits: bytes[9..<11]),
      let minute = Int(digits: bytes[11..<13]), let second = Int(digits: bytes[13..<15])
    else { return nil }
    self.init(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
  }
}

/// A date that is being written: into memory on the stack, as dates are in every request.
private struct DateText {
  /// Longer than any date, with a year of as many digits as a wall time can have.
  private static let bytesMax = 64

  private let buffer: UnsafeMutableRawBufferPointer
  private var count = 0

  static func make(_ write: (inout DateText) -> Void) -> String {
    withBytes(of: write) { $0.text }
  }

  /// Hands what `write` writes to `body`.
  static func withBytes<Result>(
    of write: (inout DateText) -> Void, _ body: (UnsafeRawBufferPointer) -> Result
  ) -> Result {
    withUnsafeTemporaryAllocation(byteCount: bytesMax, alignment: 1) { buffer in
      var text = DateText(buffer: buffer)
      write(&text)
      return body(UnsafeRawBufferPointer(rebasing: buffer[..<text.count]))
    }
  }

  private init(buffer: UnsafeMutableRawBufferPointer) { self.buffer = buffer }

  mutating func literal(_ text: StaticString) {
    for index in 0..<text.utf8CodeUnitCount { buffer[count + index] = text.utf8Start[index] }
    count += text.utf8CodeUnitCount
  }

  /// Writes `value` with at least `width` digits.
  mutating func number(_ value: Int, _ width: Int) {
    // Nearly every number of a date: an hour, a day, a year.
    if width == 2, (0..<100).contains(value) { return pair(value) }
    if width == 4, (0..<10_000).contains(value) {
      pair(value / 100)
      return pair(value % 100)
    }
    if value < 0 { literal("-") }
    var rest = value.magnitude
    var length = 1
    var limit: UInt = 10
    while length < width || rest >= limit {
      length += 1
      limit *= 10
    }
    var place = count + length
    while place > count {
      place -= 1
      buffer[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    }
    count += length
  }

  /// Writes a `value` below 100 with two digits.
  private mutating func pair(_ value: Int) {
    let value = UInt8(truncatingIfNeeded: value)
    buffer[count] = UInt8(ascii: "0") &+ value / 10
    buffer[count + 1] = UInt8(ascii: "0") &+ value % 10
    count += 2
  }
}
