// What a server counts. No label comes from a client, so the number of series is fixed.

import Base

/// The metrics of one server.
struct ServerMetrics: Sendable {
  let connections: Gauge
  let requestsInFlight: Gauge
  let rejected: Counter
  let crowdedOut: Counter
  let receivedBytes: Counter
  let sentBytes: Counter
  private let duration: Histogram
  /// By hundreds of the status: 2xx, 3xx, 4xx, 5xx.
  private let responses: [Counter]
  private let aborted: Counter

  init(_ registry: MetricsRegistry, server: String) {
    connections = registry.gauge(
      "http_connections", "Open connections", labels: ["server": server])
    requestsInFlight = registry.gauge(
      "http_requests_in_flight", "Requests that are being answered", labels: ["server": server])
    responses = (2...5).map { hundreds in
      registry.counter(
        "http_requests_total", "Requests answered, by the status of the response",
        labels: ["server": server, "status": "\(hundreds)xx"])
    }
    aborted = registry.counter(
      "http_requests_aborted_total", "Requests whose response did not come to its end",
      labels: ["server": server])
    rejected = registry.counter(
      "http_requests_rejected_total", "Requests refused because their head breaks the protocol",
      labels: ["server": server])
    crowdedOut = registry.counter(
      "http_connections_crowded_out_total",
      "Connections closed while they waited for their client, because there were too many",
      labels: ["server": server])
    receivedBytes = registry.counter(
      "http_received_bytes_total", "Bytes of request bodies", labels: ["server": server])
    sentBytes = registry.counter(
      "http_sent_bytes_total", "Bytes of response bodies", labels: ["server": server])
    duration = registry.histogram(
      "http_request_duration_seconds", "From a request's head to its response's last byte",
      labels: ["server": server])
  }

  /// Counts a request that got a response with `status`, whole or `nil`.
  func finished(status: Int?, in elapsed: Duration) {
    if let status, (200...599).contains(status) {
      responses[status / 100 - 2].add()
    } else {
      aborted.add()
    }
    duration.observe(elapsed)
  }
}
