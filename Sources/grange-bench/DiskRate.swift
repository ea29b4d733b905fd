// What the disk can do at best with whole files that must survive a power cut: the limit of durable puts.

import Base
import Codecs
import Glibc
import Reactor

/// Writers that each create, write, sync and rename one file after the other, as a store of files must.
enum DiskRate {
  private static let writers = 8
  private static let fileBytes = 1 << 20

  /// Measures for `seconds` in a new folder below `folder`, and removes it.
  ///
  /// - Returns: one JSON document; `nil` when the disk failed.
  static func measure(in folder: String, seconds: Double) -> String? {
    let place = "\(folder)/grange-bench-disk-\(getpid())"
    guard mkdir(place, 0o700) == 0 else { return nil }
    defer { rmdir(place) }
    let group = EventLoopGroup(loopCount: 1, blockingThreads: writers)
    let result = Result()
    let code = group.run {
      let start = group.now
      let startCPU = CPUTime.ownSeconds
      let end = start + .milliseconds(Int64(seconds * 1000))
      let counts = await withTaskGroup(of: Int?.self) { tasks in
        for index in 0..<writers {
          tasks.addTask {
            try? await group.blocking { write(place, writer: index, until: end) }
          }
        }
        return await tasks.reduce(into: [Int?]()) { $0.append($1) }
      }
      result.nanoseconds = (group.now - start).wholeNanoseconds
      result.cpuSeconds = CPUTime.ownSeconds - startCPU
      result.files = counts.reduce(0) { $0 + ($1 ?? 0) }
      return counts.contains(nil) ? 1 : 0
    }
    remove(place)
    guard code == 0, result.files > 0 else { return nil }
    let rate = Double(result.files) / (Double(result.nanoseconds) / 1e9)
    let document: JSON = [
      "op": "disk", "c": .integer(Int64(writers)), "size": .integer(Int64(fileBytes)),
      "files_s": .number(rate), "mb_s": .number(rate * Double(fileBytes) / 1e6),
      "cpu_us_per_file": .number(result.cpuSeconds * 1e6 / Double(result.files)),
    ]
    return document.serialize()
  }

  private final class Result: @unchecked Sendable {
    // Safe because `run` returns after the task that writes these.
    var files = 0
    var nanoseconds: Int64 = 0
    var cpuSeconds = 0.0
  }

  /// How many files were written; `nil` when a call failed.
  private static func write(
    _ folder: String, writer: Int, until end: MonotonicInstant
  ) -> Int? {
    let bytes = ObjectBytes(prefix: "disk", sizeBytes: fileBytes)
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var count = 0
    while SystemClock.now < end {
      let name = "\(folder)/\(writer)-\(count)"
      guard writeFile("\(name).tmp", bytes.body(count * writers + writer)),
        rename("\(name).tmp", name) == 0, fsync(descriptor) == 0
      else { return nil }
      count += 1
    }
    return count
  }

  private static func writeFile(_ path: String, _ bytes: UnsafeRawBufferPointer) -> Bool {
    let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard file >= 0 else { return false }
    defer { close(file) }
    return Glibc.write(file, bytes.baseAddress, bytes.count) == bytes.count && fdatasync(file) == 0
  }

  private static func remove(_ folder: String) {
    guard let listing = opendir(folder) else { return }
    defer { closedir(listing) }
    while let entry = readdir(listing) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      unlink("\(folder)/\(name)")
    }
  }
}
