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

  /// Reads a list; `nil` for one that is empty or too long, or that has an empty name or one twice.
  package init?(_ list: UnsafeRawBufferPointer) {
    let text = [UInt8](count: list.count) { text in
      for index in 0..<list.count { text[index] = list[index].asciiLowercased }
    }
    var count = 0
    let isRight = text.withUnsafeBytes { text in
      var start = 0
      while start <= text.count {
        let name = Self.name(text, at: start)
        // A repeated name would put the same value into the canonical request again and again.
        guard !name.isEmpty, count < Self.countMax, !Self.holds(text.upTo(start), name)
        else { return false }
        count += 1
        start += name.count + 1
      }
      return true
    }
    guard isRight else { return nil }
    self.text = text
  }

  /// A list of `names`, which are in lower case.
  init(_ names: [String]) { text = Array(names.joined(separator: ";").utf8) }

  /// Whether `name`, in lower case, is in the list.
  func contains(_ name: UnsafeRawBufferPointer) -> Bool {
    text.withUnsafeBytes { Self.holds($0, name) }
  }

  /// Hands each name to `body`.
  func forEach(_ body: (UnsafeRawBufferPointer) -> Void) {
    text.withUnsafeBytes { $0.forEachPart(between: UInt8(ascii: ";"), body) }
  }

  private static func holds(
    _ list: UnsafeRawBufferPointer, _ sought: UnsafeRawBufferPointer
  ) -> Bool {
    var start = 0
    while start < list.count {
      let name = name(list, at: start)
      if name.equals(sought) { return true }
      start += name.count + 1
    }
    return false
  }

  /// The name that begins at `start`.
  private static func name(
    _ list: UnsafeRawBufferPointer, at start: Int
  ) -> UnsafeRawBufferPointer {
    let rest = list.from(start)
    return rest.upTo(rest.offset(of: UInt8(ascii: ";")) ?? rest.count)
  }
}
