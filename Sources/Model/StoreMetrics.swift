// What an operator can watch of the model's workers.

import Base

/// The counters of the release queue and the reaper.
struct StoreMetrics: Sendable {
  let released: Counter
  let releasesPostponed: Counter
  let reaped: Counter

  init(_ registry: MetricsRegistry) {
    released = registry.counter(
      "grange_uploads_released_total",
      "Superseded or refused uploads whose block references were released")
    releasesPostponed = registry.counter(
      "grange_uploads_release_postponed_total",
      "Releases that were put off because too few nodes answered")
    reaped = registry.counter(
      "grange_uploads_reaped_total", "Uploads that nobody finished and that were undone")
  }
}
