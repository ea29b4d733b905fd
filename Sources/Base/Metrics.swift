// Metrics: numbers that a monitoring system reads from `/metrics`, in Prometheus' text format
// (https://prometheus.io/docs/instrumenting/exposition_formats/).
//
// A metric is made once, kept by who updates it, and costs an atomic addition. Labels are fixed when it is
// made: no value that a client chooses becomes a label, so the number of series is bounded.

private import Synchronization

/// A number that only grows.
package final class Counter: Sendable {
  private let value = Atomic<UInt64>(0)

  /// Adds `amount`.
  package func add(_ amount: UInt64 = 1) { value.wrappingAdd(amount, ordering: .relaxed) }

  /// The sum so far.
  package var current: UInt64 { value.load(ordering: .relaxed) }
}

/// A number that goes up and down.
package final class Gauge: Sendable {
  private let value = Atomic<Int64>(0)

  /// Adds `amount`, which may be negative.
  package func add(_ amount: Int64) { value.wrappingAdd(amount, ordering: .relaxed) }

  /// Replaces the number.
  package func set(_ amount: Int64) { value.store(amount, ordering: .relaxed) }

  /// The number now.
  package var current: Int64 { value.load(ordering: .relaxed) }
}

/// How long things took, in buckets of seconds.
package final class Histogram: Sendable {
  /// Upper bounds in microseconds: from a cached read to a slow disk's timeout, four a decade or fewer.
  private static let boundsMicroseconds: [UInt64] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000,
  ]

  private let buckets: [Counter]
  private let sumMicroseconds = Counter()

  init() { buckets = (0...Self.boundsMicroseconds.count).map { _ in Counter() } }

  /// Counts one thing that took `duration`.
  package func observe(_ duration: Duration) {
    let microseconds = UInt64(max(0, duration.wholeNanoseconds)) / 1000
    let index =
      Self.boundsMicroseconds.firstIndex { microseconds <= $0 } ?? Self.boundsMicroseconds.count
    buckets[index].add()
    sumMicroseconds.add(microseconds)
  }

  func render(name: String, labels: String, into text: inout String) {
    var total: UInt64 = 0
    let separator = labels.isEmpty ? "" : ","
    for (index, bucket) in buckets.enumerated() {
      total += bucket.current
      let bound =
        index < Self.boundsMicroseconds.count
        ? "\(Double(Self.boundsMicroseconds[index]) / 1e6)" : "+Inf"
      text += "\(name)_bucket{\(labels)\(separator)le=\"\(bound)\"} \(total)\n"
    }
    let set = labels.isEmpty ? "" : "{\(labels)}"
    text += "\(name)_sum\(set) \(Double(sumMicroseconds.current) / 1e6)\n"
    text += "\(name)_count\(set) \(total)\n"
  }
}

/// All metrics of one node.
package final class MetricsRegistry: Sendable {
  private enum Series {
    case counter(Counter)
    case gauge(Gauge)
    case histogram(Histogram)
    case computed(@Sendable () -> Double)
  }

  private struct Family {
    var help: String
    var type: String
    var series: [(labels: String, series: Series)] = []
  }

  private struct State {
    /// In the order in which they were made, so that the page reads the same each time.
    var names: [String] = []
    var families: [String: Family] = [:]
  }

  private let state = Mutex(State())

  package init() {}

  /// Makes and registers a counter.
  ///
  /// By convention `name` ends in `_total`.
  package func counter(
    _ name: String, _ help: String, labels: KeyValuePairs<String, String> = [:]
  ) -> Counter {
    let counter = Counter()
    add(.counter(counter), name: name, help: help, type: "counter", labels: labels)
    return counter
  }

  /// Makes and registers a gauge.
  package func gauge(
    _ name: String, _ help: String, labels: KeyValuePairs<String, String> = [:]
  ) -> Gauge {
    let gauge = Gauge()
    add(.gauge(gauge), name: name, help: help, type: "gauge", labels: labels)
    return gauge
  }

  /// Makes and registers a histogram of durations.
  ///
  /// By convention `name` ends in `_seconds`.
  package func histogram(
    _ name: String, _ help: String, labels: KeyValuePairs<String, String> = [:]
  ) -> Histogram {
    let histogram = Histogram()
    add(.histogram(histogram), name: name, help: help, type: "histogram", labels: labels)
    return histogram
  }

  /// Registers a gauge that is computed when the page is read.
  package func computed(
    _ name: String, _ help: String, labels: KeyValuePairs<String, String> = [:],
    _ value: @escaping @Sendable () -> Double
  ) {
    add(.computed(value), name: name, help: help, type: "gauge", labels: labels)
  }

  private func add(
    _ series: Series, name: String, help: String, type: String,
    labels: KeyValuePairs<String, String>
  ) {
    let rendered = labels.map { "\($0)=\"\(Self.escaped($1))\"" }.joined(separator: ",")
    state.withLock { state in
      if state.families[name] == nil {
        state.names.append(name)
        state.families[name] = Family(help: help, type: type)
      }
      state.families[name]?.series.append((rendered, series))
    }
  }

  private static func escaped(_ value: String) -> String {
    var result = ""
    for character in value {
      switch character {
      case "\\": result += "\\\\"
      case "\"": result += "\\\""
      case "\n": result += "\\n"
      default: result.append(character)
      }
    }
    return result
  }

  /// The page, in the text format, version 0.0.4.
  package func render() -> String {
    let families = state.withLock { state in
      state.names.compactMap { name in state.families[name].map { (name, $0) } }
    }
    var text = ""
    for (name, family) in families {
      text += "# HELP \(name) \(family.help)\n# TYPE \(name) \(family.type)\n"
      for (labels, series) in family.series {
        let set = labels.isEmpty ? "" : "{\(labels)}"
        switch series {
        case .counter(let counter): text += "\(name)\(set) \(counter.current)\n"
        case .gauge(let gauge): text += "\(name)\(set) \(gauge.current)\n"
        case .computed(let value): text += "\(name)\(set) \(value())\n"
        case .histogram(let histogram):
          histogram.render(name: name, labels: labels, into: &text)
        }
      }
    }
    return text
  }
}
