// Walking the block files.

import Base

extension BlockStore {
  /// The second bytes of the names that begin with `first` and may have files, with repeats.
  func leaves(first: UInt8) throws -> [UInt8] {
    var found: [UInt8] = []
    for directory in directories.all {
      for name in try files.list("\(directory.path)/\(Hex.encode([first]))") {
        if let bytes = Hex.decode(name), bytes.count == 1 { found.append(bytes[0]) }
      }
    }
    return found
  }

  /// The files of a leaf directory.
  struct Listing {
    /// In order.
    var hashes: [BlockHash] = []
    var setAside = 0
    /// The paths of files that are no blocks.
    var strays: [String] = []
  }

  /// What is in the leaf directory for names that begin with the two bytes `prefix`.
  func listing(of prefix: [UInt8], in directory: DataDirectory) throws -> Listing {
    var listing = Listing()
    let path = "\(directory.path)/\(Hex.encode(prefix[..<1]))/\(Hex.encode(prefix[1..<2]))"
    for name in try files.list(path).sorted() {
      if let hash = BlockHash(hex: name), hash.hex == name, hash.bytes.starts(with: prefix) {
        listing.hashes.append(hash)
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
