// Parses the XML documents that requests carry.
//
// One of a thousand keys takes a millisecond, but the largest that are taken, or those that somebody made to be costly,
// take a tenth of a second, in which a loop would serve nobody else. So large ones are parsed and read by a thread, and
// only so many wait for it, as their trees are larger than they are.

import APICommon
import Base
import Codecs
import Synchronization

/// Parses documents for all requests of a server.
final class DocumentParser: Sendable {
  /// What is parsed where it is: it takes a fraction of a millisecond.
  private static let smallBytesMax = 32 << 10
  /// Large documents at a time, waiting for a thread or with one: 64 MiB if they are as large as may be.
  private static let largeMax = 16

  private let largeCount = Mutex(0)

  /// What `read` makes of the document in `bytes`, whose root must be called `root`; `nil` when there are no bytes.
  ///
  /// The tree of a large document lives and ends on the thread that made it.
  ///
  /// - Throws: `MalformedXML`; `SlowDown` when too many large documents come at once; what `read` throws.
  func parse<Value: Sendable>(
    _ bytes: [UInt8], root: String, on runtime: any Runtime,
    _ read: @escaping @Sendable (XMLElement) throws -> Value
  ) async throws -> Value? {
    guard bytes.count > Self.smallBytesMax else {
      return try RequestDocument.parse(bytes, root: root).map(read)
    }
    let hasRoom = largeCount.withLock { count in
      guard count < Self.largeMax else { return false }
      count += 1
      return true
    }
    guard hasRoom else { throw S3Error(.slowDown, "Too many large documents come at once.") }
    defer { largeCount.withLock { $0 -= 1 } }
    return try await runtime.blocking(.computing) {
      try RequestDocument.parse(bytes, root: root).map(read)
    }
  }
}
