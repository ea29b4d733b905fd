// Numbers as HTTP and S3 write them: decimal digits and nothing else.
//
// Swift's own `Int(text)` takes a sign too. What one party reads as a number and another does not is how two come to
// different ideas of one request.

extension FixedWidthInteger {
  /// The number that `digits` spell, in ASCII; `nil` for none, for anything but digits, and for one too large.
  @inlinable
  package init?(digits: some Sequence<UInt8>) {
    var value: Self = 0
    var isEmpty = true
    for byte in digits {
      let digit = byte &- UInt8(ascii: "0")
      guard digit < 10 else { return nil }
      let (tens, isTooLarge) = value.multipliedReportingOverflow(by: 10)
      let (sum, isTooLargeNow) = tens.addingReportingOverflow(Self(truncatingIfNeeded: digit))
      if isTooLarge || isTooLargeNow { return nil }
      value = sum
      isEmpty = false
    }
    if isEmpty { return nil }
    self = value
  }
}
