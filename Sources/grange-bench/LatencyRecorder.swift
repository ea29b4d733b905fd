// Latencies of one worker, and what they amount to.

import Base

/// What one worker saw.
struct LatencyRecorder {
  private(set) var latencies: [Duration] = []
  private(set) var errorCount = 0
  private(set) var firstError: String?

  mutating func record(_ latency: Duration) { latencies.append(latency) }

  mutating func recordError(_ text: String) {
    errorCount += 1
    if firstError == nil { firstError = text }
  }
}

/// What all workers saw together.
struct Summary {
  let operations: Int
  let errors: Int
  let firstError: String?
  let operationsPerSecond: Double
  let megabytesPerSecond: Double
  let meanMilliseconds: Double
  let p50Milliseconds: Double
  let p99Milliseconds: Double
  let maxMilliseconds: Double

  init(_ recorders: [LatencyRecorder], elapsed: Duration, bytesPerOperation: Int) {
    let sorted = recorders.flatMap(\.latencies).sorted()
    operations = sorted.count
    errors = recorders.reduce(0) { $0 + $1.errorCount }
    firstError = recorders.lazy.compactMap(\.firstError).first
    let seconds = max(elapsed.inSeconds, 1e-9)
    operationsPerSecond = Double(sorted.count) / seconds
    megabytesPerSecond = operationsPerSecond * Double(bytesPerOperation) / 1e6
    let total = sorted.reduce(0) { $0 + $1.inSeconds }
    meanMilliseconds = sorted.isEmpty ? 0 : total / Double(sorted.count) * 1e3
    p50Milliseconds = Self.quantile(sorted, 0.5)
    p99Milliseconds = Self.quantile(sorted, 0.99)
    maxMilliseconds = Self.quantile(sorted, 1)
  }

  private static func quantile(_ sorted: [Duration], _ share: Double) -> Double {
    guard !sorted.isEmpty else { return 0 }
    let index = min(sorted.count - 1, Int(Double(sorted.count) * share))
    return sorted[index].inSeconds * 1e3
  }
}

extension Duration {
  fileprivate var inSeconds: Double {
    Double(components.seconds) + Double(components.attoseconds) / 1e18
  }
}
