// What a layout may hold, as a version comes in from other nodes and from the disk.

/// The bounds of a layout version and of the history.
package enum LayoutLimits {
  /// Nodes with a role: ten times what a collective has.
  package static let nodesMax = 1024
  /// Copies of each partition: every write waits for most of them.
  package static let replicationFactorMax = 16
  /// Zones are columns of tables, here as in the records of the cluster state (docs/formats/cluster-state.md).
  package static let zoneBytesMax = 64
  /// So are tags.
  package static let tagBytesMax = 32
  /// A node is described by a few words.
  package static let tagsMax = 16
  /// As many endings as a node keeps records about members.
  package static let endingsMax = 2048
  /// The highest number: ten versions a second for thirteen years.
  package static let numberMax = UInt64(UInt32.max)
  /// A whole version: the fullest one of today has 710 KiB, the rest is for later fields.
  package static let versionBytesMax = 1 << 20
  /// A whole history: seven thousand versions of a cluster of three nodes, five hundred of one of a hundred.
  package static let historyBytesMax = 4 << 20
}
