// The checkout as the tidy tests see it: its folders, its Swift files, its documents.
//
// The root is found from this file's own path, so the tests read the sources they were built from.

import FoundationEssentials
import Testing

/// One Swift file of the checkout.
struct SwiftFile {
  /// Path below the root, for messages and exception lists.
  let path: String
  let source: SwiftSource

  /// The target that the file belongs to, by SwiftPM's rule: the folder below Sources or Tests.
  var target: String {
    let parts = path.split(separator: "/")
    return parts.count > 2 ? String(parts[1]) : ""
  }

  /// Whether the file is part of the programs, not of their tests.
  var isProduct: Bool { path.hasPrefix("Sources/") }
}

enum Repository {
  static let root: String = {
    let file = #filePath
    let parts = file.split(separator: "/", omittingEmptySubsequences: false)
    return parts.dropLast(3).joined(separator: "/")
  }()

  static func text(_ path: String) throws -> String {
    try String(contentsOfFile: root + "/" + path, encoding: .utf8)
  }

  /// Every file below `folder` whose name ends in `suffix`, in order of name.
  static func files(below folder: String, suffix: String) throws -> [String] {
    let manager = FileManager.default
    let full = root + "/" + folder
    guard manager.fileExists(atPath: full) else { return [] }
    return try manager.subpathsOfDirectory(atPath: full)
      .filter { $0.hasSuffix(suffix) }
      .sorted()
      .map { folder + "/" + $0 }
  }

  /// All Swift files under Sources and Tests.
  static func swiftFiles() throws -> [SwiftFile] {
    var found: [SwiftFile] = []
    for folder in ["Sources", "Tests"] {
      for path in try files(below: folder, suffix: ".swift") {
        found.append(SwiftFile(path: path, source: SwiftSource(try text(path))))
      }
    }
    return found
  }
}

/// Fails with the list of offences and nothing else: `#expect` alone would print the whole checkout.
func expectNone(_ offences: [String], sourceLocation: SourceLocation = #_sourceLocation) {
  if !offences.isEmpty {
    Issue.record("\(offences.joined(separator: "\n"))", sourceLocation: sourceLocation)
  }
}
