// What stands in frames beside the bytes of streams (docs/formats/wire.md).

import Base
package import Codecs

/// The head of an open frame.
package struct OpenHead: Equatable, Sendable {
  /// The longest name of an endpoint; all are literals.
  private static let nameBytesMax = 64
  /// The most bytes of a head; room for fields to come.
  private static let bytesMax = 1024

  package var endpoint: String
  /// Milliseconds; 0 for no limit.
  package var timeout: UInt64
  package var trailing: [UInt8] = []

  package init(endpoint: String, timeout: UInt64) {
    self.endpoint = endpoint
    self.timeout = timeout
  }

  package func write(to writer: inout BinaryWriter) {
    writer.nested { writer in
      writer.version(1)
      writer.string(endpoint)
      writer.varint(timeout)
      writer.raw(trailing)
    }
  }

  package init(_ reader: inout BinaryReader) throws(BinaryError) {
    self = try reader.nested(max: Self.bytesMax) { reader throws(BinaryError) in
      _ = try reader.version(upTo: 1)
      let endpoint = try reader.string(max: Self.nameBytesMax)
      guard !endpoint.isEmpty else { throw .invalidValue }
      var head = OpenHead(endpoint: endpoint, timeout: try reader.varint())
      head.trailing = reader.remaining()
      return head
    }
  }
}

/// A code and a text: how streams and connections end.
enum Notice {
  /// As long as a person reads.
  static let textBytesMax = 256

  static func encode(_ code: UInt8, _ text: String) -> [UInt8] {
    var writer = BinaryWriter()
    writer.u8(code)
    var text = Substring(text)
    while text.utf8.count > textBytesMax { text.removeLast() }
    writer.string(String(text))
    return writer.bytes
  }

  static func decode(_ bytes: UnsafeRawBufferPointer) throws(MeshError) -> (UInt8, String) {
    var reader = BinaryReader(bytes)
    do throws(BinaryError) {
      return (try reader.u8(), try reader.string(max: textBytesMax))
    } catch {
      throw .violation("a frame's text cannot be read")
    }
  }
}
