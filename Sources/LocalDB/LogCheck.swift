// Whether the log that an earlier process left is whole.
//
// SQLite takes a log up to the first frame that is not right, and forgets the rest without a word: after a power cut
// that is what was being written. But a commit is on stable storage before the next one begins. So a frame that is
// not right and has a commit behind it, from which another one goes on, was once whole: it was damaged, and with
// it acknowledged commits would be forgotten. A damaged last commit looks like an interrupted one.
//
// The log's format is https://www.sqlite.org/fileformat2.html#the_write_ahead_log. All numbers are big-endian:
//
//   header  magic | 3007000 | page size | number | salt 1 | salt 2 | sum 1 | sum 2          (of the 24 bytes before)
//   frame   page number | pages after a commit, or 0 | salt 1 | salt 2 | sum 1 | sum 2 | page
//
// A frame's sums go on from those of the one before it, over its first 8 bytes and its page. A log that starts from
// its beginning has new salts, so the frames behind its end are told from its own.

private import Glibc

/// Reads a log.
struct LogCheck {
  private static let magicLittle: UInt32 = 0x377F_0682
  private static let magicBig: UInt32 = 0x377F_0683

  private let descriptor: Int32
  private let frameCount: Int
  private var isBig = false
  private var salts: (UInt32, UInt32) = (0, 0)
  private var sums: (UInt32, UInt32) = (0, 0)

  /// What is wrong with the log at `path`, in words; `nil` when nothing is, or there is no log.
  ///
  /// - Throws: `LocalDBError.failure` when it cannot be read.
  static func fault(_ path: String) throws -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    if descriptor < 0, errno == ENOENT { return nil }
    guard descriptor >= 0 else { throw LocalDBError.failure(path: path, detail: errorText(errno)) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw LocalDBError.failure(path: path, detail: errorText(errno))
    }
    let frames = (Int(status.st_size) - CheckedPages.logHeaderBytes) / CheckedPages.frameBytes
    guard frames > 0 else { return nil }
    var check = LogCheck(descriptor: descriptor, frameCount: frames)
    do {
      return try check.run()
    } catch let error as ReadFailure {
      throw LocalDBError.failure(path: path, detail: errorText(error.code))
    }
  }

  private struct ReadFailure: Error {
    var code: Int32
  }

  private init(descriptor: Int32, frameCount: Int) {
    self.descriptor = descriptor
    self.frameCount = frameCount
  }

  private mutating func run() throws -> String? {
    try withUnsafeTemporaryAllocation(byteCount: CheckedPages.frameBytes, alignment: 8) { bytes in
      try read(bytes, CheckedPages.logHeaderBytes, at: 0)
      // The header was synced before the first frame was written.
      guard takeHeader(UnsafeRawBufferPointer(bytes)) else {
        return "the head of its log is damaged"
      }
      for frame in 0..<frameCount {
        try read(bytes, CheckedPages.frameBytes, at: offset(frame))
        if !takeFrame(UnsafeRawBufferPointer(bytes)) {
          guard try isFollowedByCommits(frame, bytes) else { return nil }
          return
            "frame \(frame + 1) of the \(frameCount) in its log is damaged, and the commits from there on "
            + "would be lost"
        }
      }
      return nil
    }
  }

  private func offset(_ frame: Int) -> Int {
    CheckedPages.logHeaderBytes + frame * CheckedPages.frameBytes
  }

  private func read(_ bytes: UnsafeMutableRawBufferPointer, _ count: Int, at offset: Int) throws {
    var done = 0
    while done < count {
      let got = pread(
        descriptor, bytes.baseAddress?.advanced(by: done), count - done, off_t(offset + done))
      if got < 0, errno == EINTR { continue }
      guard got > 0 else { throw ReadFailure(code: got == 0 ? EIO : errno) }
      done += got
    }
  }

  private mutating func takeHeader(_ bytes: UnsafeRawBufferPointer) -> Bool {
    isBig = word(bytes, 0) == Self.magicBig
    guard isBig || word(bytes, 0) == Self.magicLittle,
      word(bytes, 8) == UInt32(CheckedPages.pageBytes)
    else { return false }
    add(UnsafeRawBufferPointer(rebasing: bytes[..<24]))
    salts = (word(bytes, 16), word(bytes, 20))
    return sums == (word(bytes, 24), word(bytes, 28))
  }

  /// Whether the frame is right and follows the one before it.
  private mutating func takeFrame(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard isOfThisLog(bytes) else { return false }
    add(UnsafeRawBufferPointer(rebasing: bytes[..<8]))
    add(
      UnsafeRawBufferPointer(
        rebasing: bytes[CheckedPages.frameHeaderBytes..<CheckedPages.frameBytes]))
    return sums == (word(bytes, 16), word(bytes, 20))
  }

  private func isOfThisLog(_ frame: UnsafeRawBufferPointer) -> Bool {
    salts == (word(frame, 8), word(frame, 12))
  }

  /// Whether a commit ends at `frame` or behind it, and another one goes on from it.
  ///
  /// What counts is that frames follow each other: behind the end of a log there may be frames of commits that
  /// failed, each begun at the same place.
  private mutating func isFollowedByCommits(
    _ frame: Int, _ bytes: UnsafeMutableRawBufferPointer
  ) throws -> Bool {
    var hasCommit = false
    for next in frame..<frameCount {
      try read(bytes, CheckedPages.frameBytes, at: offset(next))
      let header = UnsafeRawBufferPointer(bytes)
      let follows = next > frame && takeFrame(header)
      if follows && hasCommit { return true }
      hasCommit = isOfThisLog(header) && word(header, 4) != 0
      sums = (word(header, 16), word(header, 20))
    }
    return false
  }

  private mutating func add(_ bytes: UnsafeRawBufferPointer) {
    let swaps = isBig == (UInt32(1).littleEndian == 1)
    var (sum, other) = sums
    var offset = 0
    // The loop as it is because tests open logs of megabytes, and an unoptimised `stride` takes most of their time.
    while offset < bytes.count {
      let first = bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
      let second = bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)
      sum &+= (swaps ? first.byteSwapped : first) &+ other
      other &+= (swaps ? second.byteSwapped : second) &+ sum
      offset += 8
    }
    sums = (sum, other)
  }

  private func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt32 {
    UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }
}
