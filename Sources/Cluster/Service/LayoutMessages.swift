// What members ask the founder about the layout (docs/formats/cluster-state.md, "Deciding the first layout").

import Base
import Codecs
import Layout
import Mesh

/// A first version that is to be decided.
struct DecideMessage: MeshMessage {
  var version: LayoutVersion

  init(_ version: LayoutVersion) { self.version = version }

  func write(to writer: inout BinaryWriter) {
    writer.version(1)
    writer.bytes(version.encoded)
  }

  init(_ reader: inout BinaryReader) throws(BinaryError) {
    _ = try reader.version(upTo: 1)
    version = try LayoutVersion(decoding: try reader.bytes(max: LayoutLimits.versionBytesMax))
    _ = reader.remaining()
  }
}

/// The record of the decision, or why there is none.
enum DecidedMessage: MeshMessage {
  case decided([UInt8])
  case refused(String)

  /// A sentence or three.
  private static let textBytesMax = 1024

  func write(to writer: inout BinaryWriter) {
    writer.version(1)
    switch self {
    case .decided(let record):
      writer.u8(1)
      writer.bytes(record)
    case .refused(let text):
      writer.u8(2)
      writer.string(text)
    }
  }

  init(_ reader: inout BinaryReader) throws(BinaryError) {
    _ = try reader.version(upTo: 1)
    switch try reader.u8() {
    case 1: self = .decided(try reader.bytes(max: RecordLimits.layoutBytesMax))
    case 2: self = .refused(try reader.label(max: Self.textBytesMax))
    default: throw .invalidValue
    }
    _ = reader.remaining()
  }
}

/// The endpoints of the layout.
enum LayoutEndpoints {
  /// Decides the first version, on the founder.
  static let decide = MeshEndpoint<DecideMessage, DecidedMessage>(
    "layout/decide", bytesMax: 1 << 20)
}
