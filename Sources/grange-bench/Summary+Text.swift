// A summary as a line for people and as a document for programs.

import Codecs

extension Summary {
  func line(of options: BenchmarkOptions) -> String {
    var text = "\(options.operation.rawValue) \(options.sizeBytes) B c=\(options.concurrency): "
    text += "\(rounded(operationsPerSecond, 1)) op/s, \(rounded(megabytesPerSecond, 1)) MB/s, "
    text += "ms: mean \(rounded(meanMilliseconds, 3)), p50 \(rounded(p50Milliseconds, 3)), "
    text += "p99 \(rounded(p99Milliseconds, 3)), max \(rounded(maxMilliseconds, 3))"
    if errors > 0 { text += "; \(errors) errors, the first: \(firstError ?? "")" }
    return text
  }

  /// Field names as `s3bench` has them, so that one reader serves both programs.
  func json(of options: BenchmarkOptions) -> String {
    let document: JSON = [
      "op": .string(options.operation.rawValue),
      "size": .integer(Int64(options.sizeBytes)),
      "c": .integer(Int64(options.concurrency)),
      "ops": .integer(Int64(operations)),
      "ops_s": .number(operationsPerSecond),
      "mb_s": .number(megabytesPerSecond),
      "mean_ms": .number(meanMilliseconds),
      "p50_ms": .number(p50Milliseconds),
      "p99_ms": .number(p99Milliseconds),
      "max_ms": .number(maxMilliseconds),
      "errors": .integer(Int64(errors)),
      "first_error": .string(firstError ?? ""),
    ]
    return document.serialize()
  }

  private func rounded(_ value: Double, _ digits: Int) -> String {
    var factor = 1.0
    for _ in 0..<digits { factor *= 10 }
    return "\((value * factor).rounded() / factor)"
  }
}
