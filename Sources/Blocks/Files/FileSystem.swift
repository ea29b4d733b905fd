// What the block store asks of a file system.
//
// The calls are those whose order decides what survives a power cut, so that a test can stand in a file
// system that forgets, at any point, everything that was not synchronised (Tests/BlocksTests).
//
// All calls block, except `open` and `read` with `waiting: false`.

/// A call of the file system that failed.
package struct FileError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What was tried, for example `open`.
  package var call: String
  package var path: String
  /// errno.
  package var code: Int32

  package init(_ call: String, _ path: String, code: Int32) {
    self.call = call
    self.path = path
    self.code = code
  }
}

/// A file open for reading; it is closed with its last reference.
package protocol ReadableFile: AnyObject, Sendable {
  /// The file's length.
  var byteCount: Int { get }

  /// Fills `output` from the file's bytes at `offset`.
  ///
  /// - Returns: How many bytes there were, less than asked for only at the end of the file; `nil` when
  ///   `waiting` is false and they would have to come from the disk.
  func read(
    _ output: UnsafeMutableRawBufferPointer, at offset: Int, waiting: Bool
  ) throws(FileError) -> Int?
}

/// The answer to an attempt to open a file.
package enum OpenedFile: Sendable {
  case file(any ReadableFile)
  /// There is no such file.
  case missing
  /// The call would have to wait for the disk.
  case wouldWait
}

/// The room of a file system.
package struct FileSystemRoom: Sendable {
  /// What this process may still write.
  package var freeBytes: UInt64
  package var totalBytes: UInt64

  package init(freeBytes: UInt64, totalBytes: UInt64) {
    self.freeBytes = freeBytes
    self.totalBytes = totalBytes
  }
}

/// A file system.
package protocol FileSystem: Sendable {
  /// Makes a directory; one that exists is fine. Its parent must exist.
  func makeDirectory(_ path: String) throws(FileError)

  /// Makes a file with `parts` as its contents; it must not exist.
  ///
  /// - Parameter syncing: Whether the contents are on stable storage when this returns. The name is not
  ///   until `syncDirectory`.
  func write(_ path: String, _ parts: [UnsafeRawBufferPointer], syncing: Bool) throws(FileError)

  /// Opens a file for reading.
  func open(_ path: String, waiting: Bool) throws(FileError) -> OpenedFile

  /// Gives a file another name, replacing what has it.
  func rename(_ path: String, to newPath: String) throws(FileError)

  /// Removes a file; `false` when there is none.
  func remove(_ path: String) throws(FileError) -> Bool

  /// Puts the names in a directory on stable storage.
  func syncDirectory(_ path: String) throws(FileError)

  /// Puts everything of the file system that holds `path` on stable storage.
  func syncAll(_ path: String) throws(FileError)

  /// The names in a directory, without `.` and `..`, in no order; empty when there is no such directory.
  func list(_ path: String) throws(FileError) -> [String]

  /// The room of the file system that holds `path`.
  func room(_ path: String) throws(FileError) -> FileSystemRoom
}
