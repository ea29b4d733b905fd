// The inputs of operations on one key of a bucket, as they travel.
//
//   [version: u8 = 1] [key: bytes] [what the operation needs]

import Base
import Codecs

/// What the inputs of these operations begin with.
enum KeyedInput {
  static func encode(_ key: ObjectKey, _ rest: (inout BinaryWriter) -> Void) -> [UInt8] {
    var writer = BinaryWriter(capacity: 256)
    writer.version(1)
    writer.bytes(key.bytes)
    rest(&writer)
    return writer.bytes
  }

  /// Reads the key and what `rest` reads.
  ///
  /// - Throws: `BinaryError`; `ModelError` when the key is none.
  static func decode<Input>(
    _ bytes: [UInt8], _ rest: (ObjectKey, inout BinaryReader) throws -> Input
  ) throws -> Input {
    try BinaryReader.read(bytes) { (reader: inout BinaryReader) throws -> Input in
      _ = try reader.version(upTo: 1)
      return try rest(ObjectKey(reader.bytes(max: ObjectKey.bytesMax)), &reader)
    }
  }
}
