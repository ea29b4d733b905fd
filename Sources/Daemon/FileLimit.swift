// How many files and connections the process may have open.

private import Glibc

/// The limit of open descriptors.
enum FileLimit {
  /// Raises the soft limit to the hard one and returns it.
  ///
  /// The usual soft limit of 1,024 is for programs that call select(2), which this one does not.
  static func raise() -> Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
    // Beyond this a container's "unlimited" only makes tables large.
    let wanted = min(limit.rlim_max, 1 << 20)
    if limit.rlim_cur < wanted {
      limit.rlim_cur = wanted
      guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
    }
    return Int(clamping: limit.rlim_cur)
  }
}
