// All versions of a cluster's layout, from the first one on.
//
// Invariant: version n is at place n - 1, is of this cluster, and names the hash of version n - 1.

package import Base

/// The versions of a cluster's layout.
package struct LayoutHistory: Equatable, Sendable {
  package let cluster: ClusterID
  /// In the order of their numbers, which begin at 1.
  package private(set) var versions: [LayoutVersion] = []

  /// The history of a cluster that has no layout yet.
  package init(cluster: ClusterID) { self.cluster = cluster }

  /// The newest version; `nil` when there is none.
  package var current: LayoutVersion? { versions.last }

  /// Takes the next version.
  ///
  /// - Throws: `LayoutRefusal` when it is not the next one; then nothing has changed.
  package mutating func append(_ version: LayoutVersion) throws(LayoutRefusal) {
    if let refusal = refusal(of: version) { throw refusal }
    versions.append(version)
  }

  private func refusal(of version: LayoutVersion) -> LayoutRefusal? {
    guard version.cluster == cluster else { return .otherCluster }
    let expected = UInt64(versions.count) + 1
    guard version.number == expected else {
      return .notNext(number: version.number, expected: expected)
    }
    guard version.predecessor == current?.hash else { return .otherPredecessor }
    return nil
  }
}
