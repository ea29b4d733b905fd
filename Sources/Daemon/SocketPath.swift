// Paths of Unix sockets, of any length.
//
// A socket address holds 107 bytes of path. A longer one is reached through an open descriptor of its folder:
// `/proc/self/fd/<descriptor>/admin.sock`.

private import Glibc
package import Reactor

/// A path that fits a socket address, as long as it lives.
package final class SocketPath: Sendable {
  /// What to bind or connect to.
  package let path: String
  private let folder: Int32

  /// `sun_path` of sockaddr_un, less the zero byte at its end.
  private static let bytesMax = 107

  /// Makes `path` fit.
  ///
  /// - Throws: `StreamError.disconnected` with the error of opening its folder.
  package init(_ path: String) throws {
    guard path.utf8.count > Self.bytesMax, let slash = path.lastIndex(of: "/") else {
      self.path = path
      folder = -1
      return
    }
    folder = open(String(path[..<slash]), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { throw StreamError.disconnected(errno: errno) }
    self.path = "/proc/self/fd/\(folder)" + path[slash...]
  }

  deinit {
    if folder >= 0 { close(folder) }
  }

  /// The admin socket of the node with this metadata folder.
  package static func adminSocket(in metadataDirectory: String) -> String {
    metadataDirectory + (metadataDirectory.hasSuffix("/") ? "" : "/") + "admin.sock"
  }

  /// Why a connection to a socket failed.
  package enum Reason: Equatable, Sendable {
    case notRunning
    case notAllowed
    case other
  }

  /// Why a connection failed with `error`.
  package static func reason(of error: StreamError) -> Reason {
    guard case .disconnected(let code) = error else { return .other }
    switch code {
    case ENOENT, ECONNREFUSED, ENOTDIR: return .notRunning
    case EACCES, EPERM: return .notAllowed
    default: return .other
    }
  }
}
