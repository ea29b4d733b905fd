// Moving a node's folders aside, so that it begins anew and nothing is lost.

private import Glibc

/// Folders of a node that has stopped.
enum DiscardedFolders {
  /// Moves the contents of the metadata folder and of all data folders that may be written aside.
  ///
  /// A folder is renamed beside itself; where that cannot be, as of a mounted disk, what it holds is moved into a folder in it.
  ///
  /// - Parameter suffix: What tells them from those moved aside before, such as a date.
  /// - Returns: Where everything is now.
  /// - Throws: `NodeFailure`.
  static func moveAside(
    _ configuration: Configuration, suffix: String
  ) throws(NodeFailure) -> [String] {
    let folders =
      [configuration.metadataDirectory]
      + configuration.dataDirectories.filter { !$0.isReadOnly }.map(\.path)
    var places: [String] = []
    for folder in folders { places.append(try move(folder, suffix: suffix)) }
    return places
  }

  private static func move(_ folder: String, suffix: String) throws(NodeFailure) -> String {
    let aside = "\(folder).discarded-\(suffix)"
    if rename(folder, aside) == 0 || errno == ENOENT { return aside }
    let inside = "\(folder)/discarded-\(suffix)"
    guard mkdir(inside, 0o700) == 0 else {
      throw NodeFailure("\(folder) cannot be moved aside: \(errnoText())")
    }
    guard let listing = opendir(folder) else {
      throw NodeFailure("\(folder) cannot be read: \(errnoText())")
    }
    defer { closedir(listing) }
    var names: [String] = []
    while let entry = readdir(listing) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != "..", !name.hasPrefix("discarded-") { names.append(name) }
    }
    for name in names {
      guard rename("\(folder)/\(name)", "\(inside)/\(name)") == 0 else {
        throw NodeFailure("\(folder)/\(name) cannot be moved aside: \(errnoText())")
      }
    }
    return inside
  }
}
