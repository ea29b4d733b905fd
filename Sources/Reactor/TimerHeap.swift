// Timers in the order in which they are due.
//
// A binary heap whose entries know their place, so that a timer can be moved or removed without a
// search. A loop has one, and so has the simulated runtime.
//
// Invariants:
//   1. `entries[timer.position].timer === timer` for every timer in the heap, and `position` is -1 for
//      every other.
//   2. Of two timers with the same deadline the one scheduled first comes out first.
//
// Thread safety: none. A heap and its timers belong to one thread.

package import Base

/// Something to do at a time; scheduled at most once at a time.
package final class LoopTimer {
  /// The place in the heap, or -1.
  fileprivate var position = -1
  /// What to do when due.
  package let fire: () -> Void

  /// A timer that is not scheduled yet.
  package init(_ fire: @escaping () -> Void) { self.fire = fire }
}

/// The timers that wait on one thread.
package struct TimerHeap {
  private struct Entry {
    var deadline: MonotonicInstant
    var sequence: UInt64
    var timer: LoopTimer

    func isBefore(_ other: Entry) -> Bool {
      (deadline, sequence) < (other.deadline, other.sequence)
    }
  }

  private var entries: [Entry] = []
  private var sequence: UInt64 = 0

  package init() {}

  /// How many timers wait.
  package var count: Int { entries.count }

  /// When the first timer is due; `nil` when none waits.
  package var nextDeadline: MonotonicInstant? { entries.first?.deadline }

  /// When `timer` is due; `nil` when it does not wait.
  package func deadline(of timer: LoopTimer) -> MonotonicInstant? {
    timer.position >= 0 ? entries[timer.position].deadline : nil
  }

  /// Puts `timer` in, or moves it, to be due at `deadline`.
  package mutating func schedule(_ timer: LoopTimer, at deadline: MonotonicInstant) {
    sequence += 1
    let entry = Entry(deadline: deadline, sequence: sequence, timer: timer)
    if timer.position < 0 {
      entries.append(entry)
      timer.position = entries.count - 1
    } else {
      entries[timer.position] = entry
    }
    settle(timer.position)
  }

  /// Takes `timer` out; nothing happens when it does not wait.
  package mutating func cancel(_ timer: LoopTimer) {
    let position = timer.position
    guard position >= 0 else { return }
    timer.position = -1
    let last = entries.removeLast()
    guard position < entries.count else { return }
    entries[position] = last
    last.timer.position = position
    settle(position)
  }

  /// Takes out the first timer if it is due at `now`.
  package mutating func popDue(at now: MonotonicInstant) -> LoopTimer? {
    guard let first = entries.first, first.deadline <= now else { return nil }
    cancel(first.timer)
    return first.timer
  }

  private mutating func settle(_ start: Int) {
    var position = start
    while position > 0 {
      let parent = (position - 1) / 2
      guard entries[position].isBefore(entries[parent]) else { break }
      exchange(position, parent)
      position = parent
    }
    while true {
      var least = position
      for child in (2 * position + 1)...(2 * position + 2)
      where child < entries.count && entries[child].isBefore(entries[least]) {
        least = child
      }
      if least == position { return }
      exchange(position, least)
      position = least
    }
  }

  private mutating func exchange(_ a: Int, _ b: Int) {
    entries.swapAt(a, b)
    entries[a].timer.position = a
    entries[b].timer.position = b
  }
}
