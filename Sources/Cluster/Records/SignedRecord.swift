// Signed records: what a node says once and every other node keeps (docs/formats/cluster-state.md).
//
//   +-------------+--------+----------------+---------------------------+-----------+
//   | version = 1 | kind   | varint: length | body: fields, then what a | signature |
//   | 1 byte      | 1 byte | of the body    | later version added       | 64 bytes  |
//   +-------------+--------+----------------+---------------------------+-----------+
//   |<------------------ signed, behind a domain text ----------------->|
//
// Invariants:
//   1. A record keeps the bytes that it was read from: it is passed on as it came, fields that this program does
//      not know included, and these are covered by the signature.
//   2. Whatever comes in is a record within its bounds or an error; whether it is signed is another question.

package import Base
package import Codecs
package import Crypto

/// The kinds of records.
///
/// The raw values are on disk and on the wire.
package enum RecordKind: UInt8, Sendable, CaseIterable {
  case admission = 1
  case ending = 2
  case invite = 3
  case revocation = 4
  case announcement = 5
  case setting = 6
  case layout = 7
}

/// The fields of a kind of record.
package protocol RecordBody: Equatable, Sendable {
  /// The kind.
  static var kind: RecordKind { get }
  /// The most bytes of a whole record, with fields of later versions.
  static var recordBytesMax: Int { get }
  /// The cluster that the record is about: it counts in no other.
  var cluster: ClusterID { get }
  /// Whose signature the record needs.
  var signer: NodeID { get }

  /// Writes the fields and then `trailing`.
  func write(to writer: inout BinaryWriter)
  /// Reads the fields, and takes what is left as `trailing`.
  init(from reader: inout BinaryReader) throws(BinaryError)
}

/// A record with its signature, which may be false: see `isSignatureValid`.
@dynamicMemberLookup
package struct Signed<Body: RecordBody>: Sendable {
  /// The fields.
  package let body: Body
  /// The whole record.
  package let bytes: [UInt8]
  /// The record's name.
  package let id: RecordID

  /// A record of `body`, signed with `key`.
  ///
  /// - Throws: `BinaryError` when a field is out of bounds.
  /// - Requires: `key` is the signer's.
  package init(signing body: Body, with key: Ed25519PrivateKey) throws(BinaryError) {
    precondition(key.publicKey == body.signer.bytes, "a record is signed by its signer")
    var writer = BinaryWriter(capacity: 256)
    writer.version(recordVersion)
    writer.u8(Body.kind.rawValue)
    writer.nested { body.write(to: &$0) }
    writer.raw(key.sign(recordDomain + writer.bytes))
    try self.init(decoding: writer.bytes)
  }

  /// Reads a record of this kind; it may be signed falsely.
  package init(decoding bytes: [UInt8]) throws(BinaryError) {
    guard bytes.count <= Body.recordBytesMax else { throw .overLimit }
    body = try BinaryReader.read(bytes) { (reader: inout BinaryReader) throws(BinaryError) in
      _ = try reader.version(upTo: recordVersion)
      guard try reader.u8() == Body.kind.rawValue else { throw .invalidValue }
      let body = try reader.nested(max: Body.recordBytesMax, Body.init(from:))
      _ = try reader.view(Ed25519PrivateKey.signatureBytes)
      try reader.expectEnd()
      return body
    }
    self.bytes = bytes
    id = recordID(bytes)
  }

  /// Whether the signer signed this.
  package var isSignatureValid: Bool {
    let signedCount = bytes.count - Ed25519PrivateKey.signatureBytes
    return Ed25519.isValid(
      signature: Array(bytes[signedCount...]), of: recordDomain + bytes[..<signedCount],
      publicKey: body.signer.bytes)
  }

  /// A field.
  package subscript<Value>(dynamicMember path: KeyPath<Body, Value>) -> Value {
    body[keyPath: path]
  }
}

extension Signed: Equatable {
  package static func == (left: Self, right: Self) -> Bool { left.bytes == right.bytes }
}

private let recordVersion: UInt8 = 1

/// Put before what is signed, so that a node's signature of a record is never one of something else.
private let recordDomain = Array("grange cluster record\0".utf8)

/// The name of the record of these bytes.
func recordID(_ bytes: [UInt8]) -> RecordID {
  guard let id = RecordID(Digests.digest(bytes, .blake2b512)[..<RecordID.byteCount]) else {
    preconditionFailure("a digest is longer than a record's ID")
  }
  return id
}
