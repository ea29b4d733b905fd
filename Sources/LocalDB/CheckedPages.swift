// Checksums of the database's pages: an SQLite VFS over another one, usually the system's.
//
// SQLite trusts its disk: a flipped bit in a value would be served, one in a key would hide a row. So each page of
// the database file ends in a checksum, in 8 bytes that SQLite leaves free ("reserved bytes"): set whenever a
// page is written to its place, which is when the log is copied, and verified whenever it is read from there.
//
//   page of 8192 bytes:  8184 of SQLite | 0 0 0 0 | CRC-32C, big-endian, of the page's number (u32) and the 8184
//
// SQLite's own sums of the log are of the frames as they were written, so the log's pages stay as they are. What
// this process writes into the log is remembered and compared when it is read again; so is what an earlier process
// wrote, from when SQLite reads it, with its sums, at the opening.
//
// A page that is not what was written is SQLITE_IOERR_DATA, a disk that cannot read SQLITE_IOERR_READ (SQLite would
// call both a malformed database).

private import CSQLite
private import Crypto
private import Glibc
import Synchronization

/// The VFS.
package enum CheckedPages {
  /// The size of a page.
  ///
  /// SQLite cuts what is longer than a quarter of a page and gives the rest a page of its own: with 4 KiB, every
  /// object of 1 KiB takes two.
  static let pageBytes = 8192
  /// What SQLite leaves free at the end of each page.
  static let reservedBytes = 8
  private static let sumOffset = pageBytes - 4

  /// The log's layout, as in SQLite's documentation: a header, then frames of a header and a page.
  static let logHeaderBytes = 32
  static let frameHeaderBytes = 24
  static let frameBytes = frameHeaderBytes + pageBytes

  private static let names = Mutex<[String: String]>([:])

  /// The name of the VFS over the one called `base`, which is registered when there is none.
  ///
  /// - Parameter base: `nil` for the system's.
  package static func name(over base: String?) -> String? {
    names.withLock { names in
      if let known = names[base ?? ""] { return known }
      guard let lower = sqlite3_vfs_find(base) else { return nil }
      let name = "checked-\(base ?? "system")"
      // Both live as long as the process: SQLite keeps the pointers.
      let vfs = UnsafeMutablePointer<sqlite3_vfs>.allocate(capacity: 1)
      vfs.initialize(to: lower.pointee)
      vfs.pointee.zName = UnsafePointer(strdup(name))
      vfs.pointee.pNext = nil
      vfs.pointee.szOsFile = Int32(MemoryLayout<CheckedFile>.stride) + lower.pointee.szOsFile
      vfs.pointee.pAppData = UnsafeMutableRawPointer(lower)
      vfs.pointee.xOpen = { CheckedFile.open($0, $1, $2, $3, $4) }
      sqlite3_vfs_register(vfs, 0)
      names[base ?? ""] = name
      return name
    }
  }

  /// The checksum of the page `number`, counted from 1, whose bytes are `page`.
  private static func sum(_ page: UnsafeRawBufferPointer, number: Int) -> UInt32 {
    var sum = CRC32C()
    withUnsafeBytes(of: UInt32(truncatingIfNeeded: number).bigEndian) { sum.update($0) }
    sum.update(UnsafeRawBufferPointer(rebasing: page[..<(pageBytes - reservedBytes)]))
    return sum.value
  }

  /// Whether the page at `offset` of the database file is what was written.
  static func isWhole(_ page: UnsafeRawBufferPointer, at offset: Int) -> Bool {
    let stored = UInt32(bigEndian: page.loadUnaligned(fromByteOffset: sumOffset, as: UInt32.self))
    return stored == sum(page, number: offset / pageBytes + 1)
  }

  /// Puts the checksum at the end of the page for `offset` of the database file.
  static func seal(_ page: UnsafeMutableRawBufferPointer, at offset: Int) {
    page.storeBytes(of: 0, toByteOffset: pageBytes - reservedBytes, as: UInt32.self)
    let sum = sum(UnsafeRawBufferPointer(page), number: offset / pageBytes + 1)
    page.storeBytes(of: sum.bigEndian, toByteOffset: sumOffset, as: UInt32.self)
  }
}

/// The checksums of the pages that this process has written into one log.
final class LogSums: Sendable {
  /// By frame; 0 for one that is not known.
  private let sums = Mutex<[UInt64]>([])

  private static let open = Mutex<[String: (sums: LogSums, users: Int)]>([:])

  /// Those of the log at `path`, for one more open file.
  static func take(_ path: String) -> LogSums {
    open.withLock { open in
      let entry = open[path] ?? (LogSums(), 0)
      open[path] = (entry.sums, entry.users + 1)
      return entry.sums
    }
  }

  /// One open file fewer has them.
  static func giveBack(_ sums: LogSums) {
    open.withLock { open in
      guard let (path, entry) = open.first(where: { $0.value.sums === sums }) else { return }
      open[path] = entry.users > 1 ? (entry.sums, entry.users - 1) : nil
    }
  }

  /// The frame whose page lies at `offset`; `nil` when no page begins there.
  private static func frame(_ offset: Int) -> Int? {
    let (frame, rest) = (offset - CheckedPages.logHeaderBytes).quotientAndRemainder(
      dividingBy: CheckedPages.frameBytes)
    return rest == CheckedPages.frameHeaderBytes && offset > 0 ? frame : nil
  }

  private static func sum(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var sum = CRC32C()
    sum.update(bytes)
    return 1 << 32 | UInt64(sum.value)
  }

  func didWrite(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
    if bytes.count == CheckedPages.pageBytes, let frame = Self.frame(offset) {
      let sum = Self.sum(bytes)
      sums.withLock { sums in
        while sums.count <= frame { sums.append(0) }
        sums[frame] = sum
      }
    } else if bytes.count > CheckedPages.frameHeaderBytes, offset > 0 {
      // Not a page: what lies there now is not known.
      let first = max(0, offset - CheckedPages.logHeaderBytes) / CheckedPages.frameBytes
      let end = (offset + bytes.count) / CheckedPages.frameBytes + 1
      sums.withLock { sums in
        for frame in min(first, sums.count)..<min(end, sums.count) { sums[frame] = 0 }
      }
    }
  }

  /// Whether what was read is what was written, as far as that is known.
  ///
  /// What SQLite reads with the frame's header it verifies itself, so that is remembered.
  func isWhole(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Bool {
    let hasHeader = bytes.count == CheckedPages.frameBytes
    let header = hasHeader ? CheckedPages.frameHeaderBytes : 0
    guard bytes.count - header == CheckedPages.pageBytes, let frame = Self.frame(offset + header)
    else { return true }
    let known = sums.withLock { frame < $0.count ? $0[frame] : 0 }
    let page = UnsafeRawBufferPointer(rebasing: bytes[header...])
    guard known == 0 else { return known == Self.sum(page) }
    if hasHeader { didWrite(page, at: offset + header) }
    return true
  }

  func forget() { sums.withLock { $0.removeAll() } }
}

/// A file as SQLite sees it; behind it in memory lies the file of the VFS below.
private struct CheckedFile {
  var file: sqlite3_file
  var isDatabase: Bool
  /// Of a log; retained.
  var log: UnsafeMutableRawPointer?

  typealias Pointer = UnsafeMutablePointer<sqlite3_file>

  static func of(_ file: Pointer) -> UnsafeMutablePointer<CheckedFile> {
    UnsafeMutableRawPointer(file).assumingMemoryBound(to: CheckedFile.self)
  }

  static func lower(_ file: Pointer) -> Pointer {
    UnsafeMutableRawPointer(file).advanced(by: MemoryLayout<CheckedFile>.stride)
      .assumingMemoryBound(to: sqlite3_file.self)
  }

  /// The file of the VFS below, and its methods.
  static func below(_ file: Pointer?) -> (file: Pointer, methods: sqlite3_io_methods)? {
    guard let file else { return nil }
    let lower = lower(file)
    return lower.pointee.pMethods.map { (lower, $0.pointee) }
  }

  static func log(_ file: Pointer) -> LogSums? {
    of(file).pointee.log.map { Unmanaged<LogSums>.fromOpaque($0).takeUnretainedValue() }
  }

  static func open(
    _ vfs: UnsafeMutablePointer<sqlite3_vfs>?, _ name: UnsafePointer<CChar>?, _ file: Pointer?,
    _ flags: Int32, _ outFlags: UnsafeMutablePointer<Int32>?
  ) -> Int32 {
    guard let file, let base = vfs?.pointee.pAppData?.assumingMemoryBound(to: sqlite3_vfs.self),
      let openBelow = base.pointee.xOpen
    else { return SQLITE_CANTOPEN }
    var sums: LogSums?
    if flags & SQLITE_OPEN_WAL != 0, let name { sums = LogSums.take(String(cString: name)) }
    of(file).initialize(
      to: CheckedFile(
        file: sqlite3_file(pMethods: nil), isDatabase: flags & SQLITE_OPEN_MAIN_DB != 0,
        log: sums.map { Unmanaged.passRetained($0).toOpaque() }))
    let result = openBelow(base, name, lower(file), flags, outFlags)
    if lower(file).pointee.pMethods == nil {
      letGoOfLog(file)
    } else {
      file.pointee.pMethods = methods
    }
    return result
  }

  static func close(_ file: Pointer?) -> Int32 {
    guard let file, let below = below(file) else { return SQLITE_OK }
    letGoOfLog(file)
    return below.methods.xClose(below.file)
  }

  private static func letGoOfLog(_ file: Pointer) {
    guard let log = of(file).pointee.log else { return }
    of(file).pointee.log = nil
    LogSums.giveBack(Unmanaged<LogSums>.fromOpaque(log).takeRetainedValue())
  }

  // As in sqlite3.h, whose expressions Swift does not import.
  private static let readFault = SQLITE_IOERR | (1 << 8)
  private static let shortRead = SQLITE_IOERR | (2 << 8)
  private static let dataFault = SQLITE_IOERR | (32 << 8)
  private static let mediumFault = SQLITE_IOERR | (33 << 8)

  private static func isPage(_ count: Int32, _ offset: Int64) -> Bool {
    count == CheckedPages.pageBytes && offset % Int64(CheckedPages.pageBytes) == 0
  }

  static func read(
    _ file: Pointer?, _ bytes: UnsafeMutableRawPointer?, _ count: Int32, _ offset: Int64
  ) -> Int32 {
    guard let file, let below = below(file) else { return SQLITE_IOERR }
    let isDatabase = of(file).pointee.isDatabase
    if isDatabase, !isPage(count, offset), offset >= CheckedPages.pageBytes {
      return readPart(file, bytes, Int(count), offset)
    }
    let result = below.methods.xRead(below.file, bytes, count, offset)
    // SQLite would take what is missing at the end of the file for zeros.
    if result == shortRead, isDatabase, isPage(count, offset) { return dataFault }
    guard result == SQLITE_OK else { return result == mediumFault ? readFault : result }
    let read = UnsafeRawBufferPointer(start: bytes, count: Int(count))
    var isWhole = true
    if isDatabase {
      if isPage(count, offset) { isWhole = CheckedPages.isWhole(read, at: Int(offset)) }
    } else if let log = log(file) {
      isWhole = log.isWhole(read, at: Int(offset))
    }
    return isWhole ? SQLITE_OK : dataFault
  }

  /// Reads a part of a page, as SQLite does from 3.45 on with the rest of a long value.
  private static func readPart(
    _ file: Pointer, _ bytes: UnsafeMutableRawPointer?, _ count: Int, _ offset: Int64
  ) -> Int32 {
    let skipped = Int(offset % Int64(CheckedPages.pageBytes))
    guard let bytes, skipped + count <= CheckedPages.pageBytes else { return SQLITE_IOERR }
    return withUnsafeTemporaryAllocation(byteCount: CheckedPages.pageBytes, alignment: 8) { page in
      let result = read(
        file, page.baseAddress, Int32(CheckedPages.pageBytes), offset - Int64(skipped))
      if result == SQLITE_OK {
        UnsafeMutableRawBufferPointer(start: bytes, count: count)
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: page[skipped..<(skipped + count)]))
      }
      return result
    }
  }

  static func write(
    _ file: Pointer?, _ bytes: UnsafeRawPointer?, _ count: Int32, _ offset: Int64
  ) -> Int32 {
    guard let file, let bytes, let below = below(file) else { return SQLITE_IOERR }
    if of(file).pointee.isDatabase, isPage(count, offset) {
      return withUnsafeTemporaryAllocation(byteCount: CheckedPages.pageBytes, alignment: 8) {
        page in
        page.copyMemory(from: UnsafeRawBufferPointer(start: bytes, count: Int(count)))
        CheckedPages.seal(page, at: Int(offset))
        return below.methods.xWrite(below.file, page.baseAddress, count, offset)
      }
    }
    let result = below.methods.xWrite(below.file, bytes, count, offset)
    if let log = log(file) {
      if result == SQLITE_OK {
        log.didWrite(UnsafeRawBufferPointer(start: bytes, count: Int(count)), at: Int(offset))
      } else {
        log.forget()
      }
    }
    return result
  }

  static func truncate(_ file: Pointer?, _ size: Int64) -> Int32 {
    guard let file, let below = below(file) else { return SQLITE_IOERR }
    log(file)?.forget()
    return below.methods.xTruncate(below.file, size)
  }

  /// The rest is the VFS's below.
  ///
  /// Safe because it is never changed after it was made.
  nonisolated(unsafe) private static let methods: UnsafePointer<sqlite3_io_methods> = {
    let methods = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
    methods.initialize(to: sqlite3_io_methods())
    methods.pointee.iVersion = 2
    methods.pointee.xClose = { close($0) }
    methods.pointee.xRead = { read($0, $1, $2, $3) }
    methods.pointee.xWrite = { write($0, $1, $2, $3) }
    methods.pointee.xTruncate = { truncate($0, $1) }
    methods.pointee.xSync = { file, flags in
      below(file).map { $0.methods.xSync($0.file, flags) } ?? SQLITE_IOERR
    }
    methods.pointee.xFileSize = { file, size in
      below(file).map { $0.methods.xFileSize($0.file, size) } ?? SQLITE_IOERR
    }
    methods.pointee.xLock = { file, level in
      below(file).map { $0.methods.xLock($0.file, level) } ?? SQLITE_IOERR
    }
    methods.pointee.xUnlock = { file, level in
      below(file).map { $0.methods.xUnlock($0.file, level) } ?? SQLITE_IOERR
    }
    methods.pointee.xCheckReservedLock = { file, result in
      below(file).map { $0.methods.xCheckReservedLock($0.file, result) } ?? SQLITE_IOERR
    }
    methods.pointee.xFileControl = { file, operation, argument in
      below(file).map { $0.methods.xFileControl($0.file, operation, argument) } ?? SQLITE_NOTFOUND
    }
    methods.pointee.xSectorSize = { file in
      below(file).map { $0.methods.xSectorSize($0.file) } ?? 4096
    }
    methods.pointee.xDeviceCharacteristics = { file in
      below(file).map { $0.methods.xDeviceCharacteristics($0.file) } ?? 0
    }
    methods.pointee.xShmMap = { file, part, size, extend, map in
      below(file).map { $0.methods.xShmMap($0.file, part, size, extend, map) } ?? SQLITE_IOERR
    }
    methods.pointee.xShmLock = { file, offset, count, flags in
      below(file).map { $0.methods.xShmLock($0.file, offset, count, flags) } ?? SQLITE_IOERR
    }
    methods.pointee.xShmBarrier = { file in
      if let below = below(file) { below.methods.xShmBarrier(below.file) }
    }
    methods.pointee.xShmUnmap = { file, isDeleting in
      below(file).map { $0.methods.xShmUnmap($0.file, isDeleting) } ?? SQLITE_OK
    }
    return UnsafePointer(methods)
  }()
}
