// Writing a file past the page cache, as far as that goes.
//
// Blocks are written once, and few are read soon after: the cache would drop for them what is read, and making its
// pages costs more than all else of writing a file (docs/decisions/0017-write-blocks-past-the-page-cache.md). The kernel
// takes bytes directly only when they lie in whole pages, in memory as in the file, and not every file system does
// at all; what it does not take is written the usual way.

private import CShims
import Glibc

/// What the kernel takes directly begins and ends at multiples of this, in memory as in the file: the size of a page, and
/// of the blocks of all but the strangest disks.
let directWriteBytes = 4096

/// The parts of a new file that are still to be written, at the file's position.
struct UnwrittenParts {
  private var parts: ArraySlice<UnsafeRawBufferPointer>

  init(_ parts: [UnsafeRawBufferPointer]) { self.parts = parts.filter { !$0.isEmpty }[...] }

  var isEmpty: Bool { parts.isEmpty }

  /// What of them can be written directly, provided that the file's position is at a page.
  var pages: [iovec] {
    var pages: [iovec] = []
    for part in parts {
      guard UInt(bitPattern: part.baseAddress).isMultiple(of: UInt(directWriteBytes)) else { break }
      let count = part.count & ~(directWriteBytes - 1)
      if count > 0 { pages.append(Self.vector(part, count)) }
      if count < part.count { break }
    }
    return pages
  }

  /// All of them.
  var all: [iovec] { parts.map { Self.vector($0, $0.count) } }

  /// Forgets the first `count` bytes.
  mutating func drop(_ count: Int) {
    var count = count
    while let first = parts.first, count >= first.count {
      count -= first.count
      parts.removeFirst()
    }
    guard count > 0, let first = parts.first else { return }
    parts[parts.startIndex] = UnsafeRawBufferPointer(rebasing: first[count...])
  }

  private static func vector(_ part: UnsafeRawBufferPointer, _ count: Int) -> iovec {
    // writev only reads from it.
    iovec(iov_base: UnsafeMutableRawPointer(mutating: part.baseAddress), iov_len: count)
  }
}

/// Writes `parts` to the new file `file`, directly where possible if `directly`.
///
/// - Returns: 0, or errno.
func writeParts(_ parts: [UnsafeRawBufferPointer], to file: Int32, directly: Bool) -> Int32 {
  var rest = UnwrittenParts(parts)
  var isDirect = directly && !rest.pages.isEmpty && cshims_set_direct(file, 1) == 0
  while !rest.isEmpty {
    let vectors = isDirect ? rest.pages : rest.all
    let written =
      vectors.isEmpty ? 0 : retrying { writev(file, vectors, Int32(vectors.count)) }
    if written > 0 {
      rest.drop(written)
    } else if isDirect, written == 0 || errno == EINVAL {
      // The last bytes are no page, or the disk's own blocks are larger than a page.
      isDirect = false
      if cshims_set_direct(file, 0) != 0 { return errno }
    } else {
      return written == 0 ? EIO : errno
    }
  }
  return 0
}
