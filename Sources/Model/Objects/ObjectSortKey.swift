// Sort keys of the table `object` (docs/formats/objects.md).
//
//   01 | key, escaped | 00 00 | version
//   02 | key, escaped | 00 00 | upload ID
//   03 | key, escaped | 00 00 | upload ID | part number
//
// Invariants:
//   1. Sort keys of one kind are in the order of the keys' bytes.
//   2. The rows of one key are neighbours: no escaped key with its end is the beginning of another.

package import Base
package import Tables

/// The kinds of rows in the table `object`.
///
/// The raw values are on disk.
package enum ObjectRowKind: UInt8, Sendable {
  case version = 1
  case upload = 2
  case part = 3
}

/// Which version of an object.
package enum VersionName: Hashable, Sendable {
  /// The one version of an object that is not versioned.
  case null
  /// A version among others; later ones first.
  case numbered(Timestamp, UploadID)
}

/// A sort key of the table `object`, taken apart.
package enum ObjectSortKey: Hashable, Sendable {
  case version(ObjectKey, VersionName)
  case upload(ObjectKey, UploadID)
  case part(ObjectKey, UploadID, number: UInt16)

  /// The sort key's bytes.
  package var bytes: [UInt8] {
    var bytes: [UInt8]
    switch self {
    case .version(let key, .null):
      bytes = Self.keyBytes(.version, key)
      bytes.append(0)
    case .version(let key, .numbered(let timestamp, let upload)):
      bytes = Self.keyBytes(.version, key)
      bytes.append(1)
      withUnsafeBytes(of: (~timestamp.rawValue).bigEndian) { bytes.append(contentsOf: $0) }
      upload.append(to: &bytes)
    case .upload(let key, let upload):
      bytes = Self.keyBytes(.upload, key)
      upload.append(to: &bytes)
    case .part(let key, let upload, let number):
      bytes = Self.keyBytes(.part, key)
      upload.append(to: &bytes)
      bytes.append(UInt8(number >> 8))
      bytes.append(UInt8(truncatingIfNeeded: number))
    }
    return bytes
  }

  /// Takes `bytes` apart; `nil` when they are no sort key.
  package init?(_ bytes: [UInt8]) {
    guard let first = bytes.first, let kind = ObjectRowKind(rawValue: first),
      let (key, end) = Self.unescape(bytes[1...]), let key = try? ObjectKey(key)
    else { return nil }
    let rest = bytes[end...]
    switch kind {
    case .version:
      guard let version = Self.versionName(rest) else { return nil }
      self = .version(key, version)
    case .upload:
      guard let upload = UploadID(rest) else { return nil }
      self = .upload(key, upload)
    case .part:
      guard rest.count == 18, let upload = UploadID(rest.prefix(16)) else { return nil }
      let number = UInt16(rest[rest.endIndex - 2]) << 8 | UInt16(rest[rest.endIndex - 1])
      self = .part(key, upload, number: number)
    }
  }

  /// The key of `bytes` when they are the sort key of a version called null.
  package static func keyOfNullVersion(_ bytes: UnsafeRawBufferPointer) -> ObjectKey? {
    // Nearly all keys are without a zero, and lie in the sort key as they are.
    if bytes.count > 4, bytes[0] == ObjectRowKind.version.rawValue,
      bytes.suffix(3).allSatisfy({ $0 == 0 })
    {
      let key = UnsafeRawBufferPointer(rebasing: bytes[1..<bytes.count - 3])
      if !key.contains(0) { return try? ObjectKey(Array(key)) }
    }
    guard case .version(let key, .null) = ObjectSortKey(Array(bytes)) else { return nil }
    return key
  }

  /// The object's key.
  var key: ObjectKey {
    switch self {
    case .version(let key, _), .upload(let key, _), .part(let key, _, _): key
    }
  }

  private static func versionName(_ bytes: ArraySlice<UInt8>) -> VersionName? {
    switch bytes.first {
    case 0: return bytes.count == 1 ? .null : nil
    case 1:
      let rest = bytes.dropFirst()
      guard rest.count == 24, let upload = UploadID(rest.suffix(16)) else { return nil }
      let inverted = rest.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      return .numbered(Timestamp(rawValue: ~inverted), upload)
    default: return nil
    }
  }
}

extension ObjectSortKey {
  /// The beginning of all rows of a kind whose keys begin with `prefix`.
  package static func prefixBytes(_ kind: ObjectRowKind, _ prefix: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(prefix.count + 4 + 26)
    bytes.append(kind.rawValue)
    for byte in prefix {
      bytes.append(byte)
      if byte == 0 { bytes.append(0xFF) }
    }
    return bytes
  }

  /// The beginning of all rows of a kind of one key.
  package static func keyBytes(_ kind: ObjectRowKind, _ key: ObjectKey) -> [UInt8] {
    var bytes = prefixBytes(kind, key.bytes)
    bytes.append(0)
    bytes.append(0)
    return bytes
  }

  /// The first sort key behind all rows of a kind whose keys begin with `prefix`.
  package static func endOfPrefix(_ kind: ObjectRowKind, _ prefix: [UInt8]) -> [UInt8] {
    successor(of: prefixBytes(kind, prefix))
  }

  /// The first sort key behind all rows of a kind of the key `key`, which need not be valid.
  package static func endOfKey(_ kind: ObjectRowKind, _ key: [UInt8]) -> [UInt8] {
    var bytes = prefixBytes(kind, key)
    bytes.append(0)
    bytes.append(1)
    return bytes
  }

  /// The least bytes above all that begin with `bytes`, whose first byte is not FF.
  static func successor(of bytes: [UInt8]) -> [UInt8] {
    var result = bytes
    while let last = result.popLast() {
      if last < 0xFF {
        result.append(last + 1)
        break
      }
    }
    return result
  }

  /// The key at the beginning of `bytes`, and the index behind its end.
  private static func unescape(_ bytes: ArraySlice<UInt8>) -> ([UInt8], Int)? {
    var key: [UInt8] = []
    key.reserveCapacity(bytes.count)
    var index = bytes.startIndex
    while index < bytes.endIndex {
      let byte = bytes[index]
      index += 1
      if byte != 0 {
        key.append(byte)
        continue
      }
      guard index < bytes.endIndex else { return nil }
      let next = bytes[index]
      index += 1
      if next == 0 { return (key, index) }
      guard next == 0xFF else { return nil }
      key.append(0)
    }
    return nil
  }
}
