import CSQLite
import Glibc
import Synchronization

/// A disk that fails when it is told to: an SQLite VFS over the system's, whose files call through here.
///
/// The switch is one for the process, and only databases opened with `FaultyDisk.name` see it.
enum FaultyDisk {
  enum Fault: Int {
    case none, fullOnWrite, quotaOnWrite, fullOnIndex, errorOnSync, errorOnRead
  }

  private static let fault = Atomic(Fault.none.rawValue)

  static func set(_ new: Fault) { fault.store(new.rawValue, ordering: .sequentiallyConsistent) }

  private static var current: Fault {
    Fault(rawValue: fault.load(ordering: .sequentiallyConsistent)) ?? .none
  }

  static let name: String = {
    guard let system = sqlite3_vfs_find(nil) else { return "" }
    let faulty = UnsafeMutablePointer<sqlite3_vfs>.allocate(capacity: 1)
    faulty.initialize(to: system.pointee)
    faulty.pointee.zName = UnsafePointer(strdup("faulty"))
    faulty.pointee.pNext = nil
    faulty.pointee.xOpen = { vfs, name, file, flags, outFlags in
      let result = sqlite3_vfs_find(nil)?.pointee.xOpen(vfs, name, file, flags, outFlags)
      guard let result, result == SQLITE_OK, let file, let methods = file.pointee.pMethods else {
        return result ?? SQLITE_ERROR
      }
      file.pointee.pMethods = FaultyDisk.patched(methods)
      return SQLITE_OK
    }
    sqlite3_vfs_register(faulty, 0)
    return "faulty"
  }()

  /// The system's methods, by the address of the patched copy; copies live as long as the process.
  private static let originals = Mutex<[Int: Int]>([:])

  private static func original(_ file: UnsafeMutablePointer<sqlite3_file>?)
    -> sqlite3_io_methods?
  {
    let patched = Int(bitPattern: file?.pointee.pMethods)
    let address = originals.withLock { $0[patched] } ?? 0
    return UnsafePointer<sqlite3_io_methods>(bitPattern: address)?.pointee
  }

  private static func patched(
    _ methods: UnsafePointer<sqlite3_io_methods>
  ) -> UnsafePointer<sqlite3_io_methods> {
    let copy = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
    copy.initialize(to: methods.pointee)
    copy.pointee.xWrite = { file, bytes, count, offset in
      if FaultyDisk.current == .fullOnWrite { return SQLITE_FULL }
      if FaultyDisk.current == .quotaOnWrite {
        errno = EDQUOT
        return SQLITE_IOERR | (3 << 8)
      }
      return FaultyDisk.original(file)?.xWrite(file, bytes, count, offset) ?? SQLITE_IOERR
    }
    copy.pointee.xRead = { file, bytes, count, offset in
      // What SQLite's own VFS says of EIO.
      if FaultyDisk.current == .errorOnRead { return SQLITE_IOERR | (33 << 8) }
      return FaultyDisk.original(file)?.xRead(file, bytes, count, offset) ?? SQLITE_IOERR
    }
    copy.pointee.xSync = { file, flags in
      if FaultyDisk.current == .errorOnSync { return SQLITE_IOERR | (4 << 8) }
      return FaultyDisk.original(file)?.xSync(file, flags) ?? SQLITE_IOERR
    }
    // The first part of the log's index is there before a disk can be full.
    copy.pointee.xShmMap = { file, part, size, extend, map in
      if FaultyDisk.current == .fullOnIndex, part > 0, extend != 0 {
        errno = ENOSPC
        return SQLITE_IOERR | (19 << 8)
      }
      return FaultyDisk.original(file)?.xShmMap(file, part, size, extend, map) ?? SQLITE_IOERR
    }
    originals.withLock { $0[Int(bitPattern: copy)] = Int(bitPattern: methods) }
    return UnsafePointer(copy)
  }
}
