// Reading dates of HTTP (RFC 9110, section 5.6.7): the form that senders must use, and two that recipients must take too.
//
//   Sun, 06 Nov 1994 08:49:37 GMT      IMF-fixdate
//   Sunday, 06-Nov-94 08:49:37 GMT     RFC 850
//   Sun Nov  6 08:49:37 1994           C's asctime
//
// The day of the week is read over: it says nothing that the date does not.

extension CivilTime {
  /// Reads an IMF-fixdate, the form that RFC 9110 requires senders to use.
  package init?(httpDate text: String) {
    let bytes = Array(text.utf8)
    // Old mail software, and with it Python's, writes the zone as an offset.
    let zone = text.utf8.dropFirst(25)
    guard [" GMT", " +0000", " -0000"].contains(where: { zone.elementsEqual($0.utf8) }),
      bytes[3] == UInt8(ascii: ","),
      [4, 7, 11, 16].allSatisfy({ bytes[$0] == UInt8(ascii: " ") }),
      let year = Int(digits: bytes[12..<16]), let day = Int(digits: bytes[5..<7])
    else { return nil }
    self.init(year: year, month: bytes[8..<11], day: day, time: bytes[17..<25])
  }

  /// Reads any of the three forms.
  ///
  /// - Parameter now: Decides of which century a year of two digits is.
  package init?(anyHTTPDate text: String, now: WallTime) {
    if let time = CivilTime(httpDate: text) ?? CivilTime(asctime: text) {
      self = time
    } else {
      self.init(rfc850: text, now: now)
    }
  }

  private init?(rfc850 text: String, now: WallTime) {
    guard let comma = text.utf8.firstIndex(of: UInt8(ascii: ",")) else { return nil }
    let bytes = Array(text.utf8[comma...])
    guard bytes.count == 24, [1, 11].allSatisfy({ bytes[$0] == UInt8(ascii: " ") }),
      [4, 8].allSatisfy({ bytes[$0] == UInt8(ascii: "-") }),
      bytes[20...].elementsEqual(" GMT".utf8),
      let digits = Int(digits: bytes[9..<11]), let day = Int(digits: bytes[2..<4])
    else { return nil }
    let thisYear = CivilTime(now).year
    var year = thisYear - thisYear % 100 + digits
    // What looks more than 50 years ahead is past, and the other way round.
    if year > thisYear + 50 { year -= 100 } else if year <= thisYear - 50 { year += 100 }
    self.init(year: year, month: bytes[5..<8], day: day, time: bytes[12..<20])
  }

  private init?(asctime text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count == 24, [3, 7, 10, 19].allSatisfy({ bytes[$0] == UInt8(ascii: " ") }),
      let year = Int(digits: bytes[20..<24]),
      let day = Int(digits: bytes[8] == UInt8(ascii: " ") ? bytes[9..<10] : bytes[8..<10])
    else { return nil }
    self.init(year: year, month: bytes[4..<7], day: day, time: bytes[11..<19])
  }

  /// - Parameters:
  ///   - month: Three letters.
  ///   - time: `08:49:37`.
  private init?(year: Int, month: ArraySlice<UInt8>, day: Int, time: ArraySlice<UInt8>) {
    let time = Array(time)
    guard time.count == 8, time[2] == UInt8(ascii: ":"), time[5] == UInt8(ascii: ":"),
      let month = Self.months.firstIndex(where: { name in
        month.withUnsafeBytes { $0.spells(name) }
      }),
      let hour = Int(digits: time[0..<2]), let minute = Int(digits: time[3..<5]),
      let second = Int(digits: time[6..<8])
    else { return nil }
    self.init(
      year: year, month: month + 1, day: day, hour: hour, minute: minute, second: second)
  }
}
