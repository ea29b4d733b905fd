// Frames: what a connection between two nodes carries (docs/formats/wire.md).
//
//   [length: u16] [kind: u8] [flags: u8] [stream: u64] [length bytes]

import Base
import Codecs

/// What a frame is.
package enum FrameKind: UInt8, Sendable {
  case hello = 1
  case open = 2
  case data = 3
  case credit = 4
  case reset = 5
  case ping = 6
  case close = 7

  /// Whether it belongs to a stream.
  var hasStream: Bool {
    switch self {
    case .open, .data, .credit, .reset: true
    case .hello, .ping, .close: false
    }
  }

  /// The flags that may be set.
  var flags: FrameFlags {
    switch self {
    case .open, .data: .end
    case .ping: .answer
    case .hello, .credit, .reset, .close: []
    }
  }
}

/// The flags of a frame.
package struct FrameFlags: OptionSet, Sendable {
  package let rawValue: UInt8

  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// No more bytes follow in this direction of the stream.
  package static let end = FrameFlags(rawValue: 1)
  /// A ping that answers one.
  package static let answer = FrameFlags(rawValue: 2)
}

/// The head of a frame.
package struct FrameHead: Equatable, Sendable {
  package static let byteCount = 12
  /// The most bytes behind the head: with it they fill one TLS record.
  package static let payloadBytesMax = 16 * 1024 - byteCount

  package var kind: FrameKind
  package var flags: FrameFlags
  package var stream: UInt64
  package var payloadBytes: Int

  package init(_ kind: FrameKind, flags: FrameFlags = [], stream: UInt64 = 0, payloadBytes: Int) {
    self.kind = kind
    self.flags = flags
    self.stream = stream
    self.payloadBytes = payloadBytes
  }

  /// Reads the `byteCount` bytes of a head.
  ///
  /// - Throws: `MeshError.violation`.
  package init(_ bytes: UnsafeRawBufferPointer) throws(MeshError) {
    var reader = BinaryReader(bytes)
    do throws(BinaryError) {
      payloadBytes = Int(try reader.u16())
      guard let kind = FrameKind(rawValue: try reader.u8()) else { throw .invalidValue }
      self.kind = kind
      flags = FrameFlags(rawValue: try reader.u8())
      stream = try reader.u64()
    } catch {
      throw .violation("a frame of an unknown kind")
    }
    guard payloadBytes <= Self.payloadBytesMax else { throw .violation("a frame is too long") }
    guard flags.isSubset(of: kind.flags) else { throw .violation("a frame has unknown flags") }
    guard (stream != 0) == kind.hasStream else { throw .violation("a frame is of no stream") }
  }

  /// Appends the head to `bytes`.
  package func append(to bytes: inout [UInt8]) {
    var writer = BinaryWriter()
    swap(&writer.bytes, &bytes)
    writer.u16(UInt16(payloadBytes))
    writer.u8(kind.rawValue)
    writer.u8(flags.rawValue)
    writer.u64(stream)
    swap(&writer.bytes, &bytes)
  }
}
