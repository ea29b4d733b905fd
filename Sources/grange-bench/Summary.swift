// What a run amounts to.

import Codecs

struct Summary {
  var operations = 0
  var errors = 0
  var firstError = ""
  var seconds = 0.0
  var bytes = 0
  var entries = 0
  var latencies = LatencyHistogram()
  var kinds: [(operation: Operation, latencies: LatencyHistogram)] = []
  var clientCPUSeconds = 0.0
  /// `nil` when no process was named or one ended.
  var serverCPUSeconds: Double?

  var operationsPerSecond: Double { Double(operations) / max(seconds, 1e-9) }
  var megabytesPerSecond: Double { Double(bytes) / max(seconds, 1e-9) / 1e6 }
  var clientMicroseconds: Double { perOperation(clientCPUSeconds) }
  var serverMicroseconds: Double? { serverCPUSeconds.map(perOperation) }

  /// Adds a run that came after this one, but its kinds: a mixed load is one run.
  mutating func add(_ other: Summary) {
    operations += other.operations
    errors += other.errors
    if firstError.isEmpty { firstError = other.firstError }
    seconds += other.seconds
    bytes += other.bytes
    entries += other.entries
    latencies.add(other.latencies)
    clientCPUSeconds += other.clientCPUSeconds
    if let seconds = other.serverCPUSeconds { serverCPUSeconds = (serverCPUSeconds ?? 0) + seconds }
  }

  private func perOperation(_ seconds: Double) -> Double {
    seconds / Double(max(operations, 1)) * 1e6
  }

  func line(of options: BenchmarkOptions) -> String {
    var text =
      "\(options.operation.rawValue) \(options.sizeBytes) B c=\(options.concurrency): "
      + "\(rounded(operationsPerSecond, 1)) op/s, \(rounded(megabytesPerSecond, 1)) MB/s, "
      + "ms: mean \(rounded(latencies.meanMilliseconds, 3)), p50 \(milliseconds(0.5)), "
      + "p99 \(milliseconds(0.99)), max \(rounded(latencies.maxMilliseconds, 3)); "
      + "CPU us/op: client \(rounded(clientMicroseconds, 1))"
    if let serverMicroseconds { text += ", server \(rounded(serverMicroseconds, 1))" }
    if entries > 0 { text += "; \(rounded(Double(entries) / seconds, 0)) entries/s" }
    if errors > 0 { text += "; \(errors) errors, the first: \(firstError)" }
    for kind in kinds {
      text +=
        "\n  \(kind.operation.rawValue): \(kind.latencies.count), "
        + "p50 \(rounded(kind.latencies.milliseconds(quantile: 0.5), 3)), "
        + "p99 \(rounded(kind.latencies.milliseconds(quantile: 0.99), 3)) ms"
    }
    return text
  }

  /// Field names as `s3bench` has them where it has them, so that one reader serves both programs.
  func json(of options: BenchmarkOptions) -> String {
    let document: JSON = [
      "op": .string(options.operation.rawValue),
      "size": .integer(Int64(options.sizeBytes)),
      "c": .integer(Int64(options.concurrency)),
      "ops": .integer(Int64(operations)),
      "secs": .number(seconds),
      "ops_s": .number(operationsPerSecond),
      "bytes": .integer(Int64(bytes)),
      "mb_s": .number(megabytesPerSecond),
      "entries": .integer(Int64(entries)),
      "keys_s": .number(Double(entries) / max(seconds, 1e-9)),
      "mean_ms": .number(latencies.meanMilliseconds),
      "p50_ms": .number(latencies.milliseconds(quantile: 0.5)),
      "p99_ms": .number(latencies.milliseconds(quantile: 0.99)),
      "max_ms": .number(latencies.maxMilliseconds),
      "client_cpu_us_per_op": .number(clientMicroseconds),
      "server_cpu_us_per_op": serverMicroseconds.map { .number($0) } ?? .null,
      "kinds": .object(kinds.map { .init($0.operation.rawValue, Self.json($0.latencies)) }),
      "errors": .integer(Int64(errors)),
      "first_error": .string(firstError),
    ]
    return document.serialize()
  }

  private static func json(_ latencies: LatencyHistogram) -> JSON {
    [
      "ops": .integer(Int64(latencies.count)),
      "p50_ms": .number(latencies.milliseconds(quantile: 0.5)),
      "p99_ms": .number(latencies.milliseconds(quantile: 0.99)),
    ]
  }

  private func milliseconds(_ quantile: Double) -> Double {
    rounded(latencies.milliseconds(quantile: quantile), 3)
  }

  private func rounded(_ value: Double, _ digits: Int) -> Double {
    var factor = 1.0
    for _ in 0..<digits { factor *= 10 }
    return (value * factor).rounded() / factor
  }
}
