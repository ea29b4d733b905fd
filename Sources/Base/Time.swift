// Two kinds of time, kept apart by type.
//
// Monotonic time measures waits and never steps. Wall time is what people and S3 clients see, and it may
// step in either direction at any moment: nothing but a displayed date or an HLC timestamp comes from it.

/// A point of the monotonic clock, in nanoseconds since some start of the machine.
@frozen
public struct MonotonicInstant: Hashable, Comparable, Sendable {
  /// Nanoseconds since the clock's start.
  public var nanoseconds: UInt64

  /// The point `nanoseconds` after the clock's start.
  @inlinable public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  /// A point that never comes: a wait without end.
  @inlinable public static var distantFuture: MonotonicInstant { .init(nanoseconds: .max) }

  /// The point `duration` later, saturating at both ends.
  @inlinable public static func + (left: Self, right: Duration) -> Self {
    let nanoseconds = right.wholeNanoseconds
    if nanoseconds >= 0 {
      let (sum, overflow) = left.nanoseconds.addingReportingOverflow(UInt64(nanoseconds))
      return overflow ? .distantFuture : .init(nanoseconds: sum)
    }
    let (difference, underflow) =
      left.nanoseconds.subtractingReportingOverflow(nanoseconds.magnitude)
    return .init(nanoseconds: underflow ? 0 : difference)
  }

  /// How long `right` lies before `left`; negative when it lies after.
  @inlinable public static func - (left: Self, right: Self) -> Duration {
    Duration(attoseconds: (Int128(left.nanoseconds) - Int128(right.nanoseconds)) * 1_000_000_000)
  }

  @inlinable public static func < (left: Self, right: Self) -> Bool {
    left.nanoseconds < right.nanoseconds
  }
}

/// A wall-clock time: milliseconds since 1970-01-01T00:00:00Z, leap seconds ignored.
@frozen
public struct WallTime: Hashable, Comparable, Sendable {
  /// Milliseconds since the Unix epoch; negative before it.
  public var milliseconds: Int64

  /// The time `milliseconds` after the Unix epoch.
  @inlinable public init(milliseconds: Int64) { self.milliseconds = milliseconds }

  /// Whole seconds since the Unix epoch, rounded down.
  @inlinable public var seconds: Int64 {
    let (quotient, remainder) = milliseconds.quotientAndRemainder(dividingBy: 1000)
    return remainder < 0 ? quotient - 1 : quotient
  }

  @inlinable public static func < (left: Self, right: Self) -> Bool {
    left.milliseconds < right.milliseconds
  }
}

extension Duration {
  /// The duration in nanoseconds, rounded toward zero and saturating at 292 years.
  @inlinable public var wholeNanoseconds: Int64 {
    Int64(clamping: attoseconds / 1_000_000_000)
  }

  /// The duration in seconds, for people and metrics.
  @inlinable public var inSeconds: Double {
    Double(attoseconds) / 1e18
  }
}
