// The kernel's clocks: the only place that reads them.

package import Base
private import Glibc

/// Monotonic and wall time of the machine.
package enum SystemClock {
  /// CLOCK_MONOTONIC: does not count time spent suspended, and never steps.
  package static var now: MonotonicInstant {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return MonotonicInstant(
      nanoseconds: UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec))
  }

  /// CLOCK_REALTIME.
  package static var wallNow: WallTime {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return WallTime(
      milliseconds: Int64(time.tv_sec) &* 1000 &+ Int64(time.tv_nsec) / 1_000_000)
  }
}
