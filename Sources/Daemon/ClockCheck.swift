// Whether the machine's clock can be right.
//
// S3 clients sign with their own clock and are refused when it is more than 15 minutes from ours; and
// writes are ordered by clocks. Without other nodes to compare with, three signs remain: a date before
// this program was written, files of this node that are from the future, and the kernel saying that
// nobody sets the clock.

package import Base
private import CShims
private import Glibc

/// Looks for signs that the clock is wrong.
package enum ClockCheck {
  /// 2026-01-01: no clock that is right shows an earlier time to this program.
  static let earliest = WallTime(milliseconds: 1_767_225_600_000)

  /// How far files may be in the future: as far as signatures may be off.
  static let aheadMaxSeconds: Int64 = 900

  /// What cannot be right, in sentences for the operator.
  package static func faults(now: WallTime, newestFile: WallTime?) -> [String] {
    let shown = CivilTime(now).iso8601
    if now < earliest {
      return ["the clock says \(shown), which is in the past: set it, or clients will be refused"]
    }
    guard let newestFile, newestFile.seconds - now.seconds > aheadMaxSeconds else { return [] }
    return [
      "the clock says \(shown), but this node wrote files at \(CivilTime(newestFile).iso8601): "
        + "set the clock"
    ]
  }

  /// What cannot be right on this machine, judged by the files in the metadata folder at `path`.
  package static func faults(now: WallTime, metadataDirectory path: String) -> [String] {
    faults(now: now, newestFile: newestFile(in: path))
  }

  /// The same, and what may go wrong later.
  package static func warnings(now: WallTime, metadataDirectory path: String) -> [String] {
    let faults = faults(now: now, metadataDirectory: path)
    guard faults.isEmpty, cshims_clock_is_adrift() != 0 else { return faults }
    return ["nobody keeps the clock right: enable time synchronisation (systemd-timesyncd, chrony)"]
  }

  private static func newestFile(in folder: String) -> WallTime? {
    guard let stream = opendir(folder) else { return nil }
    defer { closedir(stream) }
    var newest: WallTime?
    while let entry = readdir(stream) {
      var status = stat()
      let name = withUnsafeBytes(of: &entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard stat("\(folder)/\(name)", &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
        continue
      }
      let time = WallTime(milliseconds: Int64(status.st_mtim.tv_sec) * 1000)
      newest = max(newest ?? time, time)
    }
    return newest
  }
}
