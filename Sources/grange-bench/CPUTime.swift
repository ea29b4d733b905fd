// What processes have used of the CPUs.

import Glibc

/// CPU time, the kernel's on behalf of the process included.
enum CPUTime {
  /// Of this process.
  static var ownSeconds: Double { seconds(CLOCK_PROCESS_CPUTIME_ID) ?? 0 }

  /// Of other processes, to the nanosecond; `nil` when there are none or one has ended.
  static func seconds(of processes: [Int32]) -> Double? {
    guard !processes.isEmpty else { return nil }
    var sum = 0.0
    for process in processes {
      var clock = clockid_t()
      guard clock_getcpuclockid(process, &clock) == 0, let seconds = seconds(clock) else {
        return nil
      }
      sum += seconds
    }
    return sum
  }

  private static func seconds(_ clock: clockid_t) -> Double? {
    var time = timespec()
    guard clock_gettime(clock, &time) == 0 else { return nil }
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
