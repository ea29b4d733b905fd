// What a page of a listing says about itself, found without parsing it.

/// The head of a page: how much it holds and how to go on.
struct ListPage {
  let entries: Int
  /// What the next page is asked for by; `nil` on the last one.
  let token: String?

  /// Servers write these elements before the keys, or after them.
  private static let edgeBytes = 4096

  /// `nil` when the page does not say how many entries it has.
  init?(_ page: UnsafeRawBufferPointer) {
    let first = UnsafeRawBufferPointer(rebasing: page.prefix(Self.edgeBytes))
    let last = UnsafeRawBufferPointer(rebasing: page.suffix(Self.edgeBytes))
    guard
      let count = Self.element("KeyCount", in: first) ?? Self.element("KeyCount", in: last),
      let entries = Int(count)
    else { return nil }
    self.entries = entries
    token =
      Self.element("NextContinuationToken", in: first)
      ?? Self.element("NextContinuationToken", in: last)
  }

  /// How often `text` occurs: the count of the entries themselves.
  static func count(_ text: String, in page: UnsafeRawBufferPointer) -> Int {
    var count = 0
    var start = 0
    while let place = find(text, in: page, from: start) {
      count += 1
      start = place
    }
    return count
  }

  private static func element(_ name: String, in bytes: UnsafeRawBufferPointer) -> String? {
    guard let start = find("<\(name)>", in: bytes, from: 0),
      let end = bytes[start...].firstIndex(of: UInt8(ascii: "<"))
    else { return nil }
    return String(decoding: bytes[start..<end], as: UTF8.self)
  }

  /// Where the first `text` from `start` on ends.
  private static func find(
    _ text: String, in bytes: UnsafeRawBufferPointer, from start: Int
  ) -> Int? {
    let wanted = Array(text.utf8)
    var index = start
    while index + wanted.count <= bytes.count {
      if bytes[index] == wanted[0], bytes[index..<(index + wanted.count)].elementsEqual(wanted) {
        return index + wanted.count
      }
      index += 1
    }
    return nil
  }
}
