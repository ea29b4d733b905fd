// What a layout may hold, as a version comes in from other nodes and from the disk.

/// The bounds of a layout version.
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
  /// A whole version, and so its record in the cluster state too (docs/formats/cluster-state.md).
  ///
  /// A thousand nodes, each in a zone of a long name and with half a dozen tags; or a hundred with all that they may
  /// have.
  package static let versionBytesMax = 255 << 10
}
