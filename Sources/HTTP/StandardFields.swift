// The fields that every response of a server carries.

import Base
private import Synchronization

/// `Date` and `Server`, as bytes that are made once a second.
final class StandardFields: Sendable {
  private struct Cached {
    var second: Int64 = .min
    var bytes: [UInt8] = []
  }

  private let serverLine: String
  private let cached = Mutex(Cached())

  init(server: String) {
    var fields = HTTPHeaders()
    fields.append("server", server)
    serverLine = fields.withFieldLines { String(decoding: $0, as: UTF8.self) }
  }

  /// The field lines at `now`.
  func lines(_ now: WallTime) -> [UInt8] {
    let second = now.seconds
    return cached.withLock { cached in
      if cached.second != second {
        cached.second = second
        cached.bytes = Array("date: \(CivilTime(now).httpDate)\r\n\(serverLine)".utf8)
      }
      return cached.bytes
    }
  }
}
