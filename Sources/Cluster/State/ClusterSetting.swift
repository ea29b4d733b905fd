// Settings of the cluster, as opposed to those of a node's file: the last writer wins.

package import Base
package import Codecs

/// A value of a setting, and who set it.
package struct ClusterSettingBody: RecordBody {
  package static let kind = RecordKind.setting
  package static let recordBytesMax = RecordLimits.settingBytesMax

  package var cluster: ClusterID
  /// Lowercase letters, digits, `_`, `-` and `.`.
  package var name: String
  package var value: String
  /// Above that of the value that it replaces.
  package var timestamp: UInt64
  /// Who set it.
  package var node: NodeID
  package var trailing: [UInt8] = []

  package var signer: NodeID { node }

  package init(cluster: ClusterID, name: String, value: String, timestamp: UInt64, node: NodeID) {
    self.cluster = cluster
    self.name = name
    self.value = value
    self.timestamp = timestamp
    self.node = node
  }

  package func write(to writer: inout BinaryWriter) {
    writer.id(cluster)
    writer.string(name)
    writer.string(value)
    writer.u64(timestamp)
    writer.id(node)
    writer.raw(trailing)
  }

  package init(from reader: inout BinaryReader) throws(BinaryError) {
    cluster = try reader.id()
    name = try reader.string(max: RecordLimits.settingNameBytesMax)
    guard !name.isEmpty, name.utf8.allSatisfy(Self.isNameByte) else { throw .invalidValue }
    value = try reader.label(max: RecordLimits.settingValueBytesMax)
    timestamp = try reader.u64()
    node = try reader.id()
    trailing = reader.remaining()
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")) ~= byte
      || (UInt8(ascii: "0")...UInt8(ascii: "9")) ~= byte
      || [UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: ".")].contains(byte)
  }
}

/// A setting with its signature.
package typealias ClusterSetting = Signed<ClusterSettingBody>

extension ClusterSetting {
  /// Whether this one replaces `other`, which has the same name: by time, then node, then value.
  package func replaces(_ other: ClusterSetting) -> Bool {
    let (mine, theirs) = (body, other.body)
    if (mine.timestamp, mine.node) != (theirs.timestamp, theirs.node) {
      return (mine.timestamp, mine.node) > (theirs.timestamp, theirs.node)
    }
    let (value, otherValue) = (Array(mine.value.utf8), Array(theirs.value.utf8))
    if value != otherValue { return otherValue.lexicographicallyPrecedes(value) }
    return id > other.id
  }
}
