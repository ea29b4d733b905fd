// Whether there may be block files without reference that no queue knows of.
//
// Such a file is noted when it could neither be removed nor queued. A sweep finds those that were noted before it
// began: it may have passed the place of a later one.

/// What was noted, and what was swept.
package struct SweepProgress: Sendable {
  /// How many times something was noted; to be read before a sweep begins.
  package private(set) var noted: UInt64 = 0
  /// What was noted when the last whole sweep began; `nil` without one.
  private var swept: UInt64?

  /// - Parameter isDone: Whether the run before ended in the knowledge that there is no such file.
  package init(isDone: Bool) { swept = isDone ? 0 : nil }

  /// Whether no file can be without reference, but for mistakes.
  package var isDone: Bool { swept == noted }

  /// Takes note of a file without reference.
  package mutating func note() { noted += 1 }

  /// A sweep has ended that began when `noted` was so much.
  package mutating func finish(_ noted: UInt64) { swept = noted }
}
