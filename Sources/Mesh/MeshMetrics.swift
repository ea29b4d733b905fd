// Numbers of the mesh for a monitoring system.

import Base

/// The counters of a mesh.
struct MeshMetrics: Sendable {
  let dials: Counter
  let dialsFailed: Counter
  let accepted: Counter
  let refused: Counter

  init(_ registry: MetricsRegistry) {
    dials = registry.counter("grange_mesh_dials_total", "Attempts to connect to a peer's address.")
    dialsFailed = registry.counter(
      "grange_mesh_dials_failed_total", "Attempts to connect to a peer's address that failed.")
    accepted = registry.counter(
      "grange_mesh_accepted_total", "Connections of peers that were taken.")
    refused = registry.counter(
      "grange_mesh_refused_total",
      "Connections that were refused: strangers, too many handshakes, superseded ones.")
  }
}
