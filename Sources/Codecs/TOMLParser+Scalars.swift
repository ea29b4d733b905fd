// Numbers, booleans, dates and times of TOML.
//
// A scalar's text is taken whole first: everything up to white space, a comma, a bracket or a comment (and,
// in a date, the space before the time). Then it is matched against each type.

private import Base

extension TOMLParser {
  /// A value that is no container, at its first character.
  mutating func scalar() throws(TOMLError) -> TOMLValue.Kind {
    switch current {
    case UInt8(ascii: "\""), UInt8(ascii: "'"): return .string(try string())
    default: break
    }
    let start = position
    let text = takeScalarText()
    guard !text.isEmpty else { throw expected("a value") }
    if text.elementsEqual("true".utf8) { return .boolean(true) }
    if text.elementsEqual("false".utf8) { return .boolean(false) }
    if let dateTime = Self.dateTime(text) { return .dateTime(dateTime) }
    if let integer = Self.integer(text) {
      guard let value = integer.value else {
        throw failure("this integer does not fit in 64 bits", at: start)
      }
      return .integer(value)
    }
    if let float = Self.float(text) { return .float(float) }
    // It is not shown: it may be a secret.
    throw failure("this is no value; a text needs quotes", at: start)
  }

  private mutating func takeScalarText() -> ArraySlice<UInt8> {
    let start = position
    while let byte = current, !Self.endsScalar(byte) { position += 1 }
    // A date may be separated from its time by one space.
    if position - start == 10, current == UInt8(ascii: " "), isHour(at: 1),
      peek(3) == UInt8(ascii: ":"),
      input[start..<position].filter({ $0 == UInt8(ascii: "-") }).count == 2
    {
      position += 1
      while let byte = current, !Self.endsScalar(byte) { position += 1 }
    }
    return input[start..<position]
  }

  /// Whether two digits are at `distance`.
  private func isHour(at distance: Int) -> Bool {
    (distance...distance + 1).allSatisfy { place in
      peek(place).flatMap { Self.digit($0, radix: 10) } != nil
    }
  }

  private static func endsScalar(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x00...0x20, 0x7F, UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"),
      UInt8(ascii: "#"), UInt8(ascii: "["), UInt8(ascii: "{"), UInt8(ascii: "="),
      UInt8(ascii: "\""), UInt8(ascii: "'"):
      true
    default: false
    }
  }

  // MARK: Numbers

  /// The text without its underscores; `nil` when one does not stand between two digits.
  private static func digitsOnly(_ text: ArraySlice<UInt8>, radix: UInt8) -> [UInt8]? {
    var result: [UInt8] = []
    for index in text.indices {
      guard text[index] == UInt8(ascii: "_") else {
        result.append(text[index])
        continue
      }
      guard index > text.startIndex, index + 1 < text.endIndex,
        digit(text[index - 1], radix: radix) != nil, digit(text[index + 1], radix: radix) != nil
      else { return nil }
    }
    return result
  }

  /// `nil` when `text` is no integer at all; a missing value when it is too large.
  private static func integer(_ text: ArraySlice<UInt8>) -> (value: Int64?, Void)? {
    let radix: UInt8
    switch (text.first, text.dropFirst().first) {
    case (UInt8(ascii: "0"), UInt8(ascii: "x")): radix = 16
    case (UInt8(ascii: "0"), UInt8(ascii: "o")): radix = 8
    case (UInt8(ascii: "0"), UInt8(ascii: "b")): radix = 2
    default: radix = 10
    }
    var rest = radix == 10 ? text : text.dropFirst(2)
    let isNegative = radix == 10 && rest.first == UInt8(ascii: "-")
    if radix == 10, isNegative || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
    guard let digits = digitsOnly(rest, radix: radix), !digits.isEmpty,
      digits.allSatisfy({ digit($0, radix: radix) != nil }),
      radix != 10 || digits.count == 1 || digits[0] != UInt8(ascii: "0")
    else { return nil }
    let magnitude = String(decoding: digits, as: UTF8.self)
    return (Int64((isNegative ? "-" : "") + magnitude, radix: Int(radix)), ())
  }

  private static func float(_ text: ArraySlice<UInt8>) -> Double? {
    var rest = text
    let isNegative = rest.first == UInt8(ascii: "-")
    if isNegative || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
    if rest.elementsEqual("inf".utf8) { return isNegative ? -.infinity : .infinity }
    if rest.elementsEqual("nan".utf8) { return isNegative ? -Double.nan : .nan }
    guard let plain = digitsOnly(rest, radix: 10), isFloat(plain[...]),
      let value = Double(String(decoding: plain, as: UTF8.self))
    else { return nil }
    return isNegative ? -value : value
  }

  /// Whether `text` is digits, then a fraction, an exponent or both.
  private static func isFloat(_ text: ArraySlice<UInt8>) -> Bool {
    func dropDigits(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
      let rest = text.drop { (0x30...0x39).contains($0) }
      return rest.count < text.count ? rest : nil
    }
    guard var rest = dropDigits(text) else { return false }
    if text.first == UInt8(ascii: "0"), text.count - rest.count > 1 { return false }
    if rest.first == UInt8(ascii: ".") {
      guard let afterFraction = dropDigits(rest.dropFirst()) else { return false }
      rest = afterFraction
    }
    if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
      rest = rest.dropFirst()
      if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") {
        rest = rest.dropFirst()
      }
      guard let afterExponent = dropDigits(rest) else { return false }
      rest = afterExponent
    }
    return rest.isEmpty
  }

  // MARK: Dates and times

  private static func dateTime(_ text: ArraySlice<UInt8>) -> TOMLDateTime? {
    var rest = text
    let day = takeDay(&rest)
    if day != nil {
      if rest.isEmpty { return TOMLDateTime(day: day) }
      guard let separator = rest.popFirst(), [0x54, 0x74, 0x20].contains(separator) else {
        return nil
      }
    }
    guard let time = takeTime(&rest) else { return nil }
    if rest.isEmpty { return TOMLDateTime(day: day, time: time) }
    guard day != nil, let offset = takeOffset(&rest), rest.isEmpty else { return nil }
    return TOMLDateTime(day: day, time: time, offsetMinutes: offset)
  }

  /// Takes exactly `count` digits.
  private static func takeNumber(_ text: inout ArraySlice<UInt8>, _ count: Int) -> Int? {
    guard text.count >= count, let value = Int(digits: text.prefix(count)) else { return nil }
    text.removeFirst(count)
    return value
  }

  private static func take(_ text: inout ArraySlice<UInt8>, _ character: Unicode.Scalar) -> Bool {
    guard text.first == UInt8(ascii: character) else { return false }
    text.removeFirst()
    return true
  }

  private static func takeDay(_ text: inout ArraySlice<UInt8>) -> TOMLDateTime.Day? {
    var rest = text
    guard let year = takeNumber(&rest, 4), take(&rest, "-"), let month = takeNumber(&rest, 2),
      take(&rest, "-"), let day = takeNumber(&rest, 2),
      CivilTime(year: year, month: month, day: day) != nil
    else { return nil }
    text = rest
    return TOMLDateTime.Day(year: year, month: month, day: day)
  }

  private static func takeTime(_ text: inout ArraySlice<UInt8>) -> TOMLDateTime.Time? {
    guard let hour = takeNumber(&text, 2), hour < 24, take(&text, ":"),
      let minute = takeNumber(&text, 2), minute < 60, take(&text, ":"),
      let second = takeNumber(&text, 2), second <= 60
    else { return nil }
    var nanosecond = 0
    if take(&text, ".") {
      let digits = text.prefix { (0x30...0x39).contains($0) }
      guard !digits.isEmpty else { return nil }
      for index in 0..<9 {
        let digit = index < digits.count ? Int(digits[digits.startIndex + index] - 0x30) : 0
        nanosecond = nanosecond * 10 + digit
      }
      text = text.dropFirst(digits.count)
    }
    return TOMLDateTime.Time(hour: hour, minute: minute, second: second, nanosecond: nanosecond)
  }

  private static func takeOffset(_ text: inout ArraySlice<UInt8>) -> Int? {
    if take(&text, "Z") || take(&text, "z") { return 0 }
    let isNegative = text.first == UInt8(ascii: "-")
    guard take(&text, "+") || take(&text, "-"), let hours = takeNumber(&text, 2), hours < 24,
      take(&text, ":"), let minutes = takeNumber(&text, 2), minutes < 60
    else { return nil }
    return (isNegative ? -1 : 1) * (hours * 60 + minutes)
  }
}
