// Imports point down the layers that Package.swift draws.
//
// SwiftPM builds every module of the package into one folder, so an import of a target that is not a
// declared dependency compiles as long as that target happens to be built first.

import Testing

@Suite struct ImportTests {
  /// Modules of the toolchain and the C library.
  ///
  /// `Foundation` is not among them: it would carry ICU
  /// and 44 MB into every program.
  static let toolchain: Set<String> = [
    "FoundationEssentials", "Glibc", "PackageDescription", "Swift", "Synchronization", "Testing",
    "_Concurrency",
  ]

  @Test func everyImportIsADeclaredDependency() throws {
    let manifest = try PackageManifest(Repository.text("Package.swift"))
    var offences: [String] = []
    for file in try Repository.swiftFiles() {
      guard let declared = manifest.dependencies[file.target] else {
        offences.append("\(file.path): target \(file.target) is not in Package.swift")
        continue
      }
      for (line, module) in imports(of: file.source) {
        if Self.toolchain.contains(module) || declared.contains(module) { continue }
        offences.append(
          "\(file.path):\(line): imports \(module), not a dependency of \(file.target)")
      }
    }
    expectNone(offences)
  }

  @Test func productsDoNotImportTesting() throws {
    let offences = try Repository.swiftFiles().filter(\.isProduct).filter { file in
      imports(of: file.source).contains { $0.module == "Testing" }
    }
    expectNone(offences.map(\.path))
  }

  @Test func dependenciesNameTargetsAndHaveNoCycle() throws {
    let manifest = try PackageManifest(Repository.text("Package.swift"))
    #expect(manifest.dependencies.count > 10, "the manifest was not understood")
    for (target, dependencies) in manifest.dependencies {
      for dependency in dependencies {
        #expect(
          manifest.dependencies[dependency] != nil, "\(target) depends on unknown \(dependency)")
        #expect(
          !reaches(target, from: dependency, in: manifest),
          "\(target) and \(dependency) form a cycle")
      }
    }
  }

  /// Line number and module of every import; `import struct A.B` counts as A.
  private func imports(of source: SwiftSource) -> [(line: Int, module: String)] {
    var found: [(line: Int, module: String)] = []
    for (index, line) in source.codeLines.enumerated() {
      var words = line.split(separator: " ")
      words.removeAll { $0.hasPrefix("@") || Self.accessLevels.contains(String($0)) }
      guard words.first == "import", words.count > 1 else { continue }
      let isScoped = words.count > 2 && Self.declarationKinds.contains(String(words[1]))
      let path = isScoped ? words[2] : words[1]
      if let module = path.split(separator: ".").first {
        found.append((line: index + 1, module: String(module)))
      }
    }
    return found
  }

  private static let accessLevels: Set<String> = [
    "private", "fileprivate", "internal", "package", "public",
  ]

  private static let declarationKinds: Set<String> = [
    "struct", "class", "enum", "protocol", "func", "var", "let", "typealias",
  ]

  private func reaches(_ goal: String, from start: String, in manifest: PackageManifest) -> Bool {
    var visited: Set<String> = []
    var waiting = [start]
    while let target = waiting.popLast() {
      if target == goal { return true }
      guard visited.insert(target).inserted else { continue }
      waiting += manifest.dependencies[target] ?? []
    }
    return false
  }
}
