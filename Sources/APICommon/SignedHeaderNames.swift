// The list of the headers that a signature covers: `host;x-amz-content-sha256;x-amz-date`.

import Base

/// The names in SignedHeaders, in the order in which they are signed.
package struct SignedHeaderNames: Sendable {
  /// Names in one list: each is looked for among all fields, before anything is believed.
  ///
  /// 2 KiB of metadata, S3's limit, in fields of 20 bytes, and what else clients sign.
  private static let countMax = 128

  /// The list as it is signed, in lower case.
  package let text: [UInt8]
  private let names: [Range<Int>]

  /// Reads a list; `nil` for one that is empty or too long, or that has an empty name or one twice.
  package init?(_ list: UnsafeRawBufferPointer) {
    var text: [UInt8] = []
    text.reserveCapacity(list.count)
    var names: [Range<Int>] = []
    var start = 0
    for byte in list {
      if byte == UInt8(ascii: ";") {
        names.append(start..<text.count)
        start = text.count + 1
      }
      text.append(UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte ? byte | 0x20 : byte)
      guard names.count < Self.countMax else { return nil }
    }
    names.append(start..<text.count)
    for (index, name) in names.enumerated() {
      // A repeated name would put the same value into the canonical request again and again.
      let isNew = !names[..<index].contains { text[$0] == text[name] }
      guard !name.isEmpty, isNew else { return nil }
    }
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
