import Base
import Blocks
import CShims
import Glibc
import TestStorage
import Testing

@Suite struct SystemFilesTests {
  private let files = SystemFiles()

  /// Memory that begins `offset` bytes behind the beginning of a page.
  private final class Memory {
    private let base: UnsafeMutableRawPointer
    let bytes: UnsafeRawBufferPointer

    init(_ content: [UInt8], offset: Int) {
      base = .allocate(byteCount: content.count + offset + 1, alignment: 4096)
      base.advanced(by: offset).copyMemory(from: content, byteCount: content.count)
      bytes = UnsafeRawBufferPointer(start: base + offset, count: content.count)
    }

    deinit { base.deallocate() }
  }

  private func contents(_ path: String, waiting: Bool = true) throws -> [UInt8]? {
    guard case .file(let file) = try files.open(path, waiting: true) else { return nil }
    var bytes = [UInt8](repeating: 0, count: file.byteCount)
    let count = try bytes.withUnsafeMutableBytes { bytes throws(FileError) in
      try file.read(bytes, at: 0, waiting: waiting)
    }
    return count == bytes.count ? bytes : nil
  }

  /// Whether the file system of test folders takes pages directly and then does not keep them in the cache.
  private static let keepsPagesOut: Bool = {
    let folder = TemporaryFolder()
    let path = folder.path + "/probe"
    let file = open(path, O_RDWR | O_CREAT, 0o600)
    defer { close(file) }
    let page = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 4096)
    defer { page.deallocate() }
    page.initializeMemory(as: UInt8.self, repeating: 1, count: 4096)
    guard cshims_set_direct(file, 1) == 0, pwrite(file, page, 4096, 0) == 4096, fsync(file) == 0
    else { return false }
    guard cshims_set_direct(file, 0) == 0 else { return false }
    return cshims_pread_nowait(file, page, 4096, 0) == -1 && errno == EAGAIN
  }()

  @Test(arguments: [true, false]) func whateverTheShapeOfTheParts(syncing: Bool) throws {
    // On the disk, and where nothing is written directly before Linux 6.6.
    for folder in [TemporaryFolder(), TemporaryFolder(in: "/dev/shm")] {
      let shapes: [[(count: Int, offset: Int)]] = [
        [], [(0, 0)], [(1, 0)], [(4096, 0)], [(4096, 1)], [(4097, 0)], [(132, 0), (5000, 0)],
        [(4096, 0), (262_144, 0)], [(4096, 0), (262_145, 0)], [(4096, 0), (300_000, 0), (7, 0)],
        [(4096, 0), (8192, 512), (4096, 0)], [(4096, 0), (0, 3), (8192, 0)],
        [(100, 0), (8192, 0), (8192, 0)], [(8192, 0), (100, 0), (8192, 0)],
      ]
      for (index, shape) in shapes.enumerated() {
        let parts = shape.enumerated().map { noise($1.count, seed: UInt64($0)) }
        let memory = zip(parts, shape).map { Memory($0, offset: $1.offset) }
        let path = folder.path + "/\(index)"
        try files.write(path, memory.map(\.bytes), syncing: syncing)
        #expect(try contents(path) == parts.flatMap { $0 }, "\(shape) in \(folder.path)")
      }
    }
  }

  @Test(.enabled(if: keepsPagesOut, "the file system of /tmp keeps everything in the cache"))
  func aFileInPagesIsNotInTheCache() throws {
    let folder = TemporaryFolder()
    let head = Memory(noise(4096), offset: 0)
    let rest = Memory(noise(1 << 20), offset: 0)
    let path = folder.path + "/block"
    try files.write(path, [head.bytes, rest.bytes], syncing: true)
    #expect(try contents(path, waiting: false) == nil)
    // Who does not sync does not want to wait for the disk either.
    try files.write(path + "-unsynced", [head.bytes, rest.bytes], syncing: false)
    #expect(try contents(path + "-unsynced", waiting: false) != nil)
  }

  @Test func aFileThatExistsIsLeftAlone() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/file"
    let memory = Memory([1, 2, 3], offset: 0)
    try files.write(path, [memory.bytes], syncing: true)
    #expect(throws: FileError("open", path, code: EEXIST)) {
      try files.write(path, [], syncing: true)
    }
    #expect(try contents(path) == [1, 2, 3])
  }
}
