import Base
import Testing

@Suite struct MetricsTests {
  @Test func rendersThePageOfPrometheus() {
    let registry = MetricsRegistry()
    let get = registry.counter("requests_total", "Requests.", labels: ["method": "GET"])
    let odd = registry.counter("requests_total", "Requests.", labels: ["method": "a\"\\\n"])
    let gauge = registry.gauge("open", "Open connections.")
    registry.computed("up", "One.") { 1 }
    get.add(3)
    odd.add()
    gauge.add(5)
    gauge.add(-7)
    #expect(
      registry.render() == """
        # HELP requests_total Requests.
        # TYPE requests_total counter
        requests_total{method="GET"} 3
        requests_total{method="a\\"\\\\\\n"} 1
        # HELP open Open connections.
        # TYPE open gauge
        open -2
        # HELP up One.
        # TYPE up gauge
        up 1.0

        """)
  }

  @Test func countsDurationsInCumulativeBuckets() {
    let registry = MetricsRegistry()
    let histogram = registry.histogram("wait_seconds", "Waits.", labels: ["kind": "x"])
    histogram.observe(.microseconds(100))
    histogram.observe(.milliseconds(3))
    histogram.observe(.seconds(100))
    histogram.observe(.seconds(-1))
    let page = registry.render()
    for line in [
      "wait_seconds_bucket{kind=\"x\",le=\"0.0001\"} 2",
      "wait_seconds_bucket{kind=\"x\",le=\"0.0025\"} 2",
      "wait_seconds_bucket{kind=\"x\",le=\"0.005\"} 3",
      "wait_seconds_bucket{kind=\"x\",le=\"30.0\"} 3",
      "wait_seconds_bucket{kind=\"x\",le=\"+Inf\"} 4", "wait_seconds_sum{kind=\"x\"} 100.0031",
      "wait_seconds_count{kind=\"x\"} 4",
    ] {
      #expect(page.contains(line + "\n"), "\(line)")
    }
  }
}
