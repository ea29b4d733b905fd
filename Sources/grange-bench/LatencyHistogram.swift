// Latencies, counted in buckets rather than kept: recording one is two shifts and an addition.

/// How many operations took how long, each within 1.6 %.
struct LatencyHistogram {
  private var counts = [UInt32](repeating: 0, count: (65 - bits) << bits)
  private(set) var count = 0
  private var sumNanoseconds: UInt64 = 0
  private var maxNanoseconds: UInt64 = 0

  /// Each power of two is divided into so many bits' worth of buckets.
  private static let bits = 6

  mutating func record(nanoseconds: UInt64) {
    counts[Self.index(nanoseconds)] &+= 1
    count &+= 1
    sumNanoseconds &+= nanoseconds
    maxNanoseconds = max(maxNanoseconds, nanoseconds)
  }

  mutating func add(_ other: LatencyHistogram) {
    for index in counts.indices { counts[index] &+= other.counts[index] }
    count += other.count
    sumNanoseconds += other.sumNanoseconds
    maxNanoseconds = max(maxNanoseconds, other.maxNanoseconds)
  }

  var meanMilliseconds: Double { count == 0 ? 0 : Double(sumNanoseconds) / Double(count) / 1e6 }
  var maxMilliseconds: Double { Double(maxNanoseconds) / 1e6 }

  /// The time that a share of all operations kept to.
  func milliseconds(quantile: Double) -> Double {
    var left = Int(Double(count) * quantile)
    for (index, count) in counts.enumerated() where count > 0 {
      left -= Int(count)
      if left < 0 { return min(Double(Self.middle(index)) / 1e6, maxMilliseconds) }
    }
    return maxMilliseconds
  }

  private static func index(_ nanoseconds: UInt64) -> Int {
    let shift = max(0, 63 - bits - nanoseconds.leadingZeroBitCount)
    return shift << bits + Int(nanoseconds >> UInt64(shift))
  }

  private static func middle(_ index: Int) -> UInt64 {
    let shift = max(0, index >> bits - 1)
    return UInt64(index - shift << bits) << UInt64(shift) + (1 << UInt64(shift)) / 2
  }
}
