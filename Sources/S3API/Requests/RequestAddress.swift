// Which bucket and key a request is about.
//
//   path style:          http://s3.example.org/bucket/key
//   virtual-host style:  http://bucket.s3.example.org/key
//
// The path was decoded before it is taken apart, and nothing else happens to it: `//`, `.` and `..` are parts
// of keys.

package import APICommon
import Base

/// The domain below which bucket names are host names.
package struct RootDomain: Sendable {
  /// In lower case, with a leading dot; `nil` for none.
  private let suffix: [UInt8]?

  /// `.s3.example.org`, with or without the leading dot; empty for none.
  package init(_ text: String) {
    let trimmed = text.lowercased().drop { $0 == "." }
    suffix = trimmed.isEmpty ? nil : Array(".\(trimmed)".utf8)
  }

  /// The bucket that a `Host` names; `nil` when the host is the domain itself or lies outside of it.
  func bucket(inHost host: @autoclosure () -> String?) -> String? {
    guard let suffix, var host = host() else { return nil }
    return host.withUTF8 { host in
      var name = UnsafeRawBufferPointer(host)
      // A port follows the last colon; an IPv6 address in brackets is no name below any domain.
      if let colon = name.lastIndex(of: UInt8(ascii: ":")) { name = name.upTo(colon) }
      if name.last == UInt8(ascii: ".") { name = name.upTo(name.count - 1) }
      let length = name.count - suffix.count
      guard length > 0, zip(name[length...], suffix).allSatisfy({ $0.asciiLowercased == $1 })
      else { return nil }
      return name.upTo(length).text.lowercased()
    }
  }
}

/// What a request is about: the service, a bucket, or a key in a bucket.
package struct RequestAddress: Equatable, Sendable {
  /// `nil`: the service.
  package let bucket: String?
  /// The key's bytes, not yet checked; `nil`: the bucket or the service.
  package let key: [UInt8]?

  package init(bucket: String? = nil, key: [UInt8]? = nil) {
    self.bucket = bucket
    self.key = key
  }

  /// The address of a request.
  ///
  /// - Throws: `InvalidBucketName` when the bucket's name is empty or not UTF-8.
  package init(
    _ target: RequestTarget, host: @autoclosure () -> String?, rootDomain: RootDomain
  ) throws(S3Error) {
    let path = target.path.dropFirst()
    if let bucket = rootDomain.bucket(inHost: host()) {
      self.init(bucket: bucket, key: path.isEmpty ? nil : Array(path))
      return
    }
    if path.isEmpty {
      self.init()
      return
    }
    let slash = path.firstIndex(of: UInt8(ascii: "/")) ?? path.endIndex
    guard slash > path.startIndex,
      let bucket = String(validating: path[..<slash], as: UTF8.self)
    else { throw S3Error(.invalidBucketName) }
    let key = path[slash...].dropFirst()
    self.init(bucket: bucket, key: key.isEmpty ? nil : Array(key))
  }
}
