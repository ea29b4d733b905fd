// The marker of a data directory (docs/formats/block-file.md): whose it is.

package import Base

/// The contents of the file `grange-data`.
package struct DataDirectoryMarker: Equatable, Sendable {
  static let fileName = "grange-data"
  /// Followed by the version of the layout: 1 had two levels of folders.
  private static let title = "grange data directory "
  private static let firstLine = title + "2"
  /// Longer than any marker; a larger file is something else.
  private static let byteCountMax = 4096

  /// The node that stores its blocks here.
  package var node: NodeID
  package var directory: DataDirectoryID

  package init(node: NodeID, directory: DataDirectoryID) {
    self.node = node
    self.directory = directory
  }

  /// The file's text.
  package var text: String {
    "\(Self.firstLine)\nnode \(node.hex)\ndirectory \(directory.hex)\n"
  }

  /// Reads the file's text; `nil` when it is not that of a marker.
  ///
  /// Further lines are left to newer programs.
  package init?(text: String) {
    let lines = text.split(separator: "\n")
    guard lines.count >= 3, lines[0] == Self.firstLine, lines[1].hasPrefix("node "),
      lines[2].hasPrefix("directory "), let node = NodeID(hex: lines[1].dropFirst(5)),
      let directory = DataDirectoryID(hex: lines[2].dropFirst(10))
    else { return nil }
    self.init(node: node, directory: directory)
  }

  /// Reads the marker of the directory at `path`; `nil` when there is none.
  static func read(_ path: String, _ files: any FileSystem) throws -> DataDirectoryMarker? {
    let name = "\(path)/\(fileName)"
    guard case .file(let file) = try files.open(name, waiting: true) else { return nil }
    let text = try withUnsafeTemporaryAllocation(byteCount: byteCountMax, alignment: 8) { bytes in
      let count = try file.read(bytes, at: 0, waiting: true) ?? 0
      return String(decoding: bytes[..<count], as: UTF8.self)
    }
    guard let marker = DataDirectoryMarker(text: text) else {
      if text.hasPrefix(title), !text.hasPrefix(firstLine + "\n") {
        throw BlockError.unusable(
          "\(path) has the layout of another version of Grange: use that version, or another data directory"
        )
      }
      throw BlockError.unusable("\(name) is damaged: restore it, or use another data directory")
    }
    return marker
  }

  /// Writes the marker of the directory at `path`, which has none, to stable storage.
  func write(_ path: String, _ files: any FileSystem) throws {
    let temporary = "\(path)/\(Self.fileName).new"
    _ = try files.remove(temporary)
    try Array(text.utf8).withUnsafeBytes { try files.write(temporary, [$0], syncing: true) }
    try files.rename(temporary, to: "\(path)/\(Self.fileName)")
    try files.syncDirectory(path)
  }
}
