// The node's own key (docs/formats/node-key.md): its public half is the node's ID, for ever.

package import Base
import Crypto
private import Glibc

/// Who the node is.
package struct NodeIdentity: Sendable {
  package let id: NodeID
  /// Signs for the node.
  let key: Ed25519PrivateKey

  /// Reads the key in the metadata folder `folder`; a new node without one gets one.
  ///
  /// - Parameter isNew: Whether nothing was ever stored in the name of the node.
  /// - Throws: `NodeFailure`.
  package static func open(
    in folder: String, isNew: Bool, random: any RandomSource
  ) throws(NodeFailure) -> Self {
    let path = folder + "/node_key"
    let found: [UInt8]?
    do throws(FileFailure) {
      found = try SmallFile.read(path, bytesMax: 1024)
    } catch {
      guard error.code == ENOENT else {
        throw NodeFailure("the node's key \(path) cannot be read: \(error.text)")
      }
      found = nil
    }
    if let found { return try read(found, path: path) }
    guard isNew else {
      throw NodeFailure(
        "the node's key \(path) is missing: restore it from a backup; with another key this would be another node"
      )
    }
    let seed = random.bytes(Ed25519PrivateKey.keyBytes)
    try PrivateFile.write(Array((Hex.encode(seed) + "\n").utf8), to: path)
    return try Self(seed: seed, path: path)
  }

  /// Makes sure that a node that was in use has its database: without it an empty one would be made.
  ///
  /// - Throws: `NodeFailure`.
  static func requireDatabase(in folder: String) throws(NodeFailure) {
    // The key is written once the database is there.
    let (key, database) = (folder + "/node_key", folder + "/metadata.sqlite")
    guard access(key, F_OK) == 0, access(database, F_OK) != 0, errno == ENOENT else { return }
    throw NodeFailure(
      "the metadata database \(database) is missing, and \(key) says that this node was in use: restore the folder "
        + "\(folder) from a backup; or, to begin anew without anything that was stored, move it away as a whole"
    )
  }

  private static func read(_ bytes: [UInt8], path: String) throws(NodeFailure) -> Self {
    let line = String(decoding: bytes, as: UTF8.self)
    guard line.hasSuffix("\n"), let seed = Hex.decode(line.dropLast()) else {
      throw NodeFailure("the node's key \(path) is damaged: restore it from a backup")
    }
    return try Self(seed: seed, path: path)
  }

  private init(seed: [UInt8], path: String) throws(NodeFailure) {
    guard let key = Ed25519PrivateKey(seed: seed), let id = NodeID(key.publicKey) else {
      throw NodeFailure("the node's key \(path) is damaged: restore it from a backup")
    }
    self.key = key
    self.id = id
  }
}

/// Files that only the node's user may read, written so that a power cut leaves all or nothing.
enum PrivateFile {
  static func write(_ bytes: [UInt8], to path: String) throws(NodeFailure) {
    let temporary = path + ".new"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw NodeFailure("\(temporary) cannot be written: \(errnoText())")
    }
    let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    let isDurable = count == bytes.count && fsync(descriptor) == 0
    close(descriptor)
    guard isDurable, rename(temporary, path) == 0 else {
      throw NodeFailure("\(path) cannot be written: \(errnoText())")
    }
    let slash = path.lastIndex(of: "/") ?? path.startIndex
    let folder = open(String(path[..<slash]), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { return }
    fsync(folder)
    close(folder)
  }
}
