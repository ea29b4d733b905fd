// The heads of messages: what comes before the body.

/// A request's first line and header fields.
package struct HTTPRequestHead: Sendable {
  /// The method, as received and case-sensitive: `GET`, `PUT`.
  package let method: String
  /// 0 for HTTP/1.0, 1 for HTTP/1.1 and above.
  package let minorVersion: Int
  /// The header fields.
  package let headers: HTTPHeaders
  /// Holds the target at `targetRange`; a parsed head shares the array of its headers.
  private let storage: [UInt8]
  private let targetRange: Range<Int>

  /// A head from its parts, for a client or a test.
  package init(
    method: String, target: String, minorVersion: Int = 1, headers: HTTPHeaders = HTTPHeaders()
  ) {
    self.method = method
    self.minorVersion = minorVersion
    self.headers = headers
    storage = Array(target.utf8)
    targetRange = storage.indices
  }

  /// A parsed head, whose target lies in the bytes of its headers.
  init(method: String, minorVersion: Int, headers: HTTPHeaders, targetRange: Range<Int>) {
    self.method = method
    self.minorVersion = minorVersion
    self.headers = headers
    storage = headers.bytes
    self.targetRange = targetRange
  }

  /// The request target, as received: `/bucket/key?query` or, from proxies, `http://host/bucket/key`.
  package var target: String { text(targetRange) }

  /// The path, still percent-encoded.
  ///
  /// From the first `/` behind a scheme and authority, if there are such, up to the query. `/` when it
  /// is empty, `*` for `OPTIONS *`.
  package var path: String {
    let range = pathRange
    return range.isEmpty ? "/" : text(range)
  }

  /// What follows the first `?`, still percent-encoded; `nil` without one.
  package var query: String? { queryRange.map(text) }

  /// Hands the bytes of `path` and of `query`, which is empty without one, to `body`.
  package func withTargetBytes<Result>(
    _ body: (_ path: UnsafeRawBufferPointer, _ query: UnsafeRawBufferPointer) -> Result
  ) -> Result {
    let path = pathRange
    let query = queryRange ?? 0..<0
    let root: StaticString = "/"
    return storage.withUnsafeBytes { bytes in
      body(
        path.isEmpty
          ? UnsafeRawBufferPointer(start: root.utf8Start, count: root.utf8CodeUnitCount)
          : UnsafeRawBufferPointer(rebasing: bytes[path]),
        UnsafeRawBufferPointer(rebasing: bytes[query]))
    }
  }

  private var queryRange: Range<Int>? {
    let path = pathRange
    return path.upperBound < targetRange.upperBound
      ? path.upperBound + 1..<targetRange.upperBound : nil
  }

  /// The host and port that the client named: the Host field, which is what signatures cover.
  ///
  /// The parser refuses a target that names another authority.
  package var host: String? { headers["host"] }

  /// The authority in the target; `nil` when it is a path.
  var targetAuthority: String? {
    let start = authorityOffset
    return start > targetRange.lowerBound ? text(start..<pathOffset) : nil
  }

  private func text(_ range: Range<Int>) -> String {
    storage.withUnsafeBufferPointer {
      String(decoding: UnsafeBufferPointer(rebasing: $0[range]), as: UTF8.self)
    }
  }

  private var pathRange: Range<Int> {
    let start = pathOffset
    let end =
      storage[start..<targetRange.upperBound].firstIndex(of: UInt8(ascii: "?"))
      ?? targetRange.upperBound
    return start..<end
  }

  /// Behind `http://`; the target's start when it has no scheme.
  private var authorityOffset: Int {
    let target = storage[targetRange]
    guard let first = target.first, first != UInt8(ascii: "/"), first != UInt8(ascii: "*"),
      let colon = target.firstIndex(of: UInt8(ascii: ":")),
      target[colon...].starts(with: "://".utf8)
    else { return targetRange.lowerBound }
    return colon + 3
  }

  private var pathOffset: Int {
    let authority = authorityOffset
    guard authority > targetRange.lowerBound else { return authority }
    return storage[authority..<targetRange.upperBound].firstIndex {
      $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?")
    } ?? targetRange.upperBound
  }
}

/// A response's status and header fields.
package struct HTTPResponseHead: Sendable {
  /// 100 to 599.
  package let status: Int
  /// 0 for HTTP/1.0, 1 for HTTP/1.1 and above.
  package let minorVersion: Int
  /// The header fields.
  package let headers: HTTPHeaders

  /// A head from its parts.
  package init(status: Int, minorVersion: Int = 1, headers: HTTPHeaders = HTTPHeaders()) {
    self.status = status
    self.minorVersion = minorVersion
    self.headers = headers
  }
}
