// Walking the block files.

import Base

extension BlockStore {
  /// The files of a folder.
  struct Listing {
    /// By the second byte of their names, in order.
    var hashes: [UInt8: [BlockHash]] = [:]
    var setAside = 0
    /// The paths of files that are no blocks.
    var strays: [String] = []
  }

  /// What is in the folder for names that begin with the byte `first`.
  func listing(of first: UInt8, in directory: DataDirectory) throws -> Listing {
    var listing = Listing()
    let path = directory.folderPath(first)
    for name in try files.list(path).sorted() {
      if let hash = BlockHash(hex: name), hash.hex == name, hash.bytes[0] == first {
        listing.hashes[hash.bytes[1], default: []].append(hash)
      } else if name.hasSuffix(".corrupted") {
        listing.setAside += 1
      } else {
        listing.strays.append("\(path)/\(name)")
      }
    }
    return listing
  }

  /// Whether a directory has a file of the block.
  func exists(_ hash: BlockHash) throws -> Bool {
    for directory in directories.all
    where try fileLength(BlockPlace(directory: directory, hash: hash)) != nil {
      return true
    }
    return false
  }
}
