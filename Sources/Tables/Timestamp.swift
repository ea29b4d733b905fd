// Timestamps and the hybrid logical clock that makes them.
//
// A timestamp orders writes; it never identifies one. It is close to wall time, so that a person can read
// it, and grows on one node while its wall clock steps back a little (Kulkarni et al., "Logical Physical
// Clocks", 2014). After a larger step it follows the wall clock, as replicas refuse what is far ahead: a
// later write of the same row is then ordered by the stale answer that it gets.

package import Base
public import Codecs
private import Synchronization

/// A point in the order of writes: milliseconds since 1970 and a counter.
@frozen
public struct Timestamp: Hashable, Comparable, Sendable {
  /// 48 bits of milliseconds, then 16 bits of counter.
  public var rawValue: UInt64

  /// The timestamp with these 64 bits.
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// The first timestamp of a millisecond.
  package init(milliseconds: Int64) {
    rawValue = UInt64(min(max(0, milliseconds), (1 << 48) - 1)) << 16
  }

  /// Before every write.
  @inlinable public static var zero: Timestamp { Timestamp(rawValue: 0) }

  /// Milliseconds since the Unix epoch.
  package var milliseconds: Int64 { Int64(rawValue >> 16) }

  /// The next timestamp; the last one is its own next.
  package var next: Timestamp { Timestamp(rawValue: rawValue == .max ? .max : rawValue + 1) }

  @inlinable public static func < (left: Self, right: Self) -> Bool {
    left.rawValue < right.rawValue
  }
}

extension Timestamp: CustomStringConvertible {
  /// The date and the counter, for logs.
  public var description: String {
    CivilTime(WallTime(milliseconds: milliseconds)).iso8601 + "+\(rawValue & 0xFFFF)"
  }
}

extension BinaryWriter {
  /// Writes a timestamp: 64 bits, the most significant first, so that their bytes are in its order too.
  @inlinable
  package mutating func timestamp(_ value: Timestamp) { u64(value.rawValue) }
}

extension BinaryReader {
  /// Reads a timestamp.
  @inlinable
  package mutating func timestamp() throws(BinaryError) -> Timestamp {
    Timestamp(rawValue: try u64())
  }
}

/// The node's clock for timestamps.
package final class HybridClock: Sendable {
  /// How far ahead of its own clock a replica lets a write be.
  ///
  /// It is the tolerance of Signature Version 4 for a client's clock: a node further off is told, instead
  /// of making rows that every later write has to climb over.
  package static let aheadMax: Duration = .seconds(15 * 60)

  private let runtime: any Runtime
  private let last = Mutex(Timestamp.zero)

  /// A clock over the wall clock of `runtime`.
  package init(runtime: any Runtime) { self.runtime = runtime }

  /// A timestamp above every one that this clock gave before, unless that lies further ahead of the wall
  /// clock than a replica accepts: the wall clock was set back, and its time is what counts.
  package func now() -> Timestamp {
    let wallNow = runtime.wallNow
    let wall = Timestamp(milliseconds: wallNow.milliseconds)
    return last.withLock { last in
      let next = max(wall, last.next)
      last = Self.isTooFarAhead(next, of: wallNow) ? wall : next
      return last
    }
  }

  /// A timestamp for a write that a replica answered with "stale, `held`".
  ///
  /// It raises that write alone: a replica with a clock far ahead must not drag this node's clock along, and
  /// through it the cluster's.
  package func now(above held: Timestamp?) -> Timestamp {
    let now = now()
    guard let held else { return now }
    return max(now, held.next)
  }

  /// Whether `timestamp` is further ahead of the wall clock than a replica accepts.
  package func isTooFarAhead(_ timestamp: Timestamp) -> Bool {
    Self.isTooFarAhead(timestamp, of: runtime.wallNow)
  }

  private static func isTooFarAhead(_ timestamp: Timestamp, of wall: WallTime) -> Bool {
    timestamp.milliseconds > wall.milliseconds + aheadMax.components.seconds * 1000
  }
}
