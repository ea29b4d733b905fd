// What the layers above hear of the cluster's life.

package import Base

/// Hears who comes and goes, and adds its own news to pings.
///
/// It must be short, and may be called on any thread.
package protocol ClusterObserver: Sendable {
  /// The layout, or what this node is to its cluster, has changed.
  func clusterChanged()
  /// There is a connection to `node`.
  func connected(_ node: NodeID)
  /// The connection to `node` is lost.
  func lost(_ node: NodeID)
  /// What the next ping says beside the state's digest.
  var news: [UInt8] { get }
  /// A ping of `node` said this.
  func heard(_ news: [UInt8], from node: NodeID)
}
