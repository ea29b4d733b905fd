// The list of the headers that a signature covers: `host;x-amz-content-sha256;x-amz-date`.

import Base
import HTTP

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
    guard Self.count(list) <= Self.countMax else { return nil }
    let text = list.map(\.asciiLowercased)
    let isRight = text.withUnsafeBytes { text in
      Self.withNames(of: text) { names in
        // A repeated name would put the same value into the canonical request again and again.
        names.indices.allSatisfy { !names[$0].isEmpty && !names[..<$0].holds(names[$0]) }
      }
    }
    guard isRight else { return nil }
    self.text = text
  }

  /// A list of `names`, which are in lower case.
  init(_ names: [String]) { text = Array(names.joined(separator: ";").utf8) }

  /// Whether `name`, in lower case, is in the list.
  func contains(_ name: UnsafeRawBufferPointer) -> Bool {
    text.withUnsafeBytes { Self.withNames(of: $0) { $0[...].holds(name) } }
  }

  /// The first of the fields that `mustBeSigned` and is not in the list; `nil` for none.
  func firstMissing(
    of headers: HTTPHeaders, where mustBeSigned: (UnsafeRawBufferPointer) -> Bool
  ) -> String? {
    text.withUnsafeBytes { text in
      Self.withNames(of: text) { names in
        var missing: String?
        headers.visitFields { name, _ in
          if missing == nil, mustBeSigned(name), !names[...].holds(name) { missing = name.text }
        }
        return missing
      }
    }
  }

  /// Hands each name to `body`.
  func forEach(_ body: (UnsafeRawBufferPointer) -> Void) {
    if text.isEmpty { return }
    text.withUnsafeBytes { $0.forEachPart(between: UInt8(ascii: ";"), body) }
  }

  private static func count(_ list: UnsafeRawBufferPointer) -> Int {
    list.count { $0 == UInt8(ascii: ";") } + 1
  }

  /// Hands the names in `list` to `body`.
  ///
  /// Strangers choose the list and what is looked for in it, so it is taken apart once.
  private static func withNames<Result>(
    of list: UnsafeRawBufferPointer,
    _ body: (UnsafeMutableBufferPointer<UnsafeRawBufferPointer>) -> Result
  ) -> Result {
    withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: count(list)) { names in
      var index = 0
      list.forEachPart(between: UInt8(ascii: ";")) { name in
        names.initializeElement(at: index, to: name)
        index += 1
      }
      return body(names)
    }
  }
}

extension Slice<UnsafeMutableBufferPointer<UnsafeRawBufferPointer>> {
  /// Whether one of the names is `name`.
  fileprivate func holds(_ name: UnsafeRawBufferPointer) -> Bool {
    contains { $0.equals(name) }
  }
}
