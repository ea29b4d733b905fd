// The list of the headers that a signature covers: `host;x-amz-content-sha256;x-amz-date`.

import Base

/// The names in SignedHeaders, in the order in which they are signed.
package struct SignedHeaderNames: Sendable {
  /// Names in one list: each is looked for among all fields, before anything is believed.
  ///
  /// 2 KiB of metadata, S3's limit, in fields of 20 bytes, and what else clients sign.
  private static let countMax = 128
  /// What SDKs sign of a request without metadata, and a few more.
  private static let usualCount = 12

  /// The list as it is signed, in lower case.
  package let text: [UInt8]
  private let names: [Range<Int>]

  /// Reads a list; `nil` for one that is empty or too long, or that has an empty name or one twice.
  package init?(_ list: UnsafeRawBufferPointer) {
    let text = [UInt8](unsafeUninitializedCapacity: list.count) { buffer, count in
      for index in 0..<list.count { buffer[index] = list[index].asciiLowercased }
      count = list.count
    }
    var names: [Range<Int>] = []
    names.reserveCapacity(Self.usualCount)
    let isRight = text.withUnsafeBytes { text in
      var start = 0
      while start <= text.count {
        let name = text.from(start)
        let count = name.offset(of: UInt8(ascii: ";")) ?? name.count
        // A repeated name would put the same value into the canonical request again and again.
        let isNew = !names.contains {
          UnsafeRawBufferPointer(rebasing: text[$0]).equals(name.upTo(count))
        }
        guard count > 0, isNew, names.count < Self.countMax else { return false }
        names.append(start..<start + count)
        start += count + 1
      }
      return true
    }
    guard isRight else { return nil }
    self.text = text
    self.names = names
  }

  /// A list of `names`, which are in lower case.
  init(_ names: [String]) {
    var text: [UInt8] = []
    var ranges: [Range<Int>] = []
    for name in names {
      if !text.isEmpty { text.append(UInt8(ascii: ";")) }
      let start = text.count
      text += name.utf8
      ranges.append(start..<text.count)
    }
    self.text = text
    self.names = ranges
  }

  /// Whether `name`, in lower case, is in the list.
  func contains(_ name: UnsafeRawBufferPointer) -> Bool {
    text.withUnsafeBytes { text in
      names.contains { UnsafeRawBufferPointer(rebasing: text[$0]).equals(name) }
    }
  }

  /// Hands each name to `body`.
  func forEach(_ body: (UnsafeRawBufferPointer) -> Void) {
    text.withUnsafeBytes { text in
      for name in names { body(UnsafeRawBufferPointer(rebasing: text[name])) }
    }
  }
}
