import Base
import Model
import SimulatedCluster
import SimulatedWorld
import Tables

/// Three stores over one set of replicas.
///
/// Blocks stay on the node that was written to.
typealias StoreCluster = ReplicaCluster<Node>

extension StoreCluster {
  convenience init(
    seed: UInt64, skews: [Int64] = [0, 0, 0], hasDistantBlocks: Bool = true
  ) throws {
    var options = Store.Options()
    options.inlineThresholdBytes = 64
    options.hasDistantBlocks = hasDistantBlocks
    // Rows of buckets and keys are read from a node's own replica, which is behind a link here too: in truth nothing
    // is lost on that way.
    try self.init(SimulatedRuntime(seed: seed), skews: skews, lossPercent: 0) { _ in
    } make: { parts, _ in
      try Node(
        options, replica: parts.replica, placement: parts.placement, runtime: parts.host,
        data: parts.host.folder + "/data", blockBytes: 4096)
    }
  }
}
