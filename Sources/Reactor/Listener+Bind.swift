// Making listening sockets.

private import CLinux
private import Glibc

extension Listener {
  /// How many connections the kernel may hold before they are accepted; it takes its own limit if that is lower.
  private static let backlog: Int32 = 4096

  /// Listens on a TCP address.
  ///
  /// `[::]` takes IPv4 too; on a machine without IPv6 it means `0.0.0.0`.
  ///
  /// - Throws: `ListenError`.
  package static func tcp(_ address: SocketAddress) throws -> Listener {
    precondition(!address.isUnix)
    do {
      return try bindTCP(address)
    } catch let error as ListenError
      where error.errno == EAFNOSUPPORT && address.isAny && address.isIPv6
    {
      return try bindTCP(.ipv4(address: 0, port: address.port ?? 0))
    }
  }

  /// Listens on a TCP address given as text, such as `"::"` or `"127.0.0.1"`.
  ///
  /// - Throws: `ListenError`.
  package static func tcp(host: String, port: UInt16) throws -> Listener {
    guard let address = SocketAddress(ip: host, port: port) else {
      throw ListenError(address: "\(host):\(port)", errno: EINVAL)
    }
    return try tcp(address)
  }

  private static func bindTCP(_ address: SocketAddress) throws -> Listener {
    try make(address) { descriptor in
      var one: Int32 = 1
      let size = socklen_t(MemoryLayout<Int32>.size)
      setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, size)
      if address.isIPv6 {
        var only: Int32 = address.isAny ? 0 : 1
        setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &only, size)
      }
      return address.withSystemAddress { bind(descriptor, $0, $1) }
    }
  }

  /// Listens on a Unix socket at `path`, which gets the permissions `mode`.
  ///
  /// A socket file that nobody listens on any more, left by a process that was killed, is replaced.
  ///
  /// - Throws: `ListenError`.
  package static func unix(path: String, mode: UInt32) throws -> Listener {
    let address = SocketAddress.unix(path: path)
    try removeStale(address, path: path)
    return try make(address) { descriptor in
      // Linux gives the file the socket's own mode, less the umask: so it is never open to more than `mode`, not
      // even for the moment before chmod(2), which gives what the umask took.
      guard fchmod(descriptor, mode_t(mode)) == 0,
        address.withSystemAddress({ bind(descriptor, $0, $1) }) == 0
      else { return -1 }
      return chmod(path, mode_t(mode))
    }
  }

  private static func removeStale(_ address: SocketAddress, path: String) throws {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
      throw ListenError(address: path, errno: EEXIST)
    }
    let probe = try openSocket(address)
    defer { Glibc.close(probe) }
    let result = address.withSystemAddress { Glibc.connect(probe, $0, $1) }
    guard result != 0 && errno == ECONNREFUSED else {
      throw ListenError(address: path, errno: EADDRINUSE)
    }
    unlink(path)
  }

  private static func make(
    _ address: SocketAddress, bind: (Int32) -> Int32
  ) throws -> Listener {
    let descriptor = try openSocket(address)
    guard bind(descriptor) == 0, listen(descriptor, backlog) == 0,
      let local = address.isUnix ? address : SocketAddress(localOf: descriptor)
    else {
      let reason = errno
      Glibc.close(descriptor)
      throw ListenError(address: "\(address)", errno: reason)
    }
    return Listener(descriptor: descriptor, localAddress: local)
  }

  private static func openSocket(_ address: SocketAddress) throws -> Int32 {
    do {
      return try address.openSocket()
    } catch StreamError.disconnected(let reason) {
      throw ListenError(address: "\(address)", errno: reason)
    }
  }
}
