// swift-tools-version: 6.2
//
// The targets are the architecture (ARCHITECTURE.md, "The layers"): an import only points down this
// list, and `Tests/TidyTests` compares every import in the sources with the dependencies named here.
// No package dependencies: C libraries of the system come in through pkg-config.

import PackageDescription

/// Set in CI: warnings are errors there, and only there, so that a new compiler cannot break a
/// volunteer's build.
let strict = Context.environment["GRANGE_STRICT"] == "1"

let settings: [SwiftSetting] =
  [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  ] + (strict ? [.treatAllWarnings(as: .error)] : [])

/// Set by the scripts and the container: the programs carry the Swift runtime.
///
/// They run on a machine without a toolchain then. `swift build --static-swift-stdlib` would do the same but cannot build
/// tests, and then the server under test would not be the one that users run.
let carriesRuntime = Context.environment["GRANGE_STATIC"] == "1"

let programLinking: [LinkerSetting] =
  carriesRuntime
  ? [
    .unsafeFlags(["-static-stdlib"]),
    // Parts of FoundationEssentials that modules compiled against the shared library do not name.
    .linkedLibrary("_FoundationCShims"), .linkedLibrary("_FoundationCollections"),
  ] : []

func program(_ name: String, _ dependencies: [Target.Dependency], path: String? = nil) -> Target {
  .executableTarget(
    name: name, dependencies: dependencies, path: path, swiftSettings: settings,
    linkerSettings: programLinking)
}

func layer(_ name: String, _ dependencies: [Target.Dependency], path: String? = nil) -> Target {
  .target(name: name, dependencies: dependencies, path: path, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = [])
  -> Target
{
  .testTarget(
    name: name, dependencies: dependencies, resources: resources,
    // Tests are not what users run; leaving them as they are saves a third of a release build.
    swiftSettings: settings + [.unsafeFlags(["-Onone"])])
}

/// Set by `scripts/fuzz`: the program that libFuzzer drives, which needs flags for the whole build.
let fuzzing: [Target] =
  Context.environment["GRANGE_FUZZ"] == "1"
  ? [program("grange-fuzz", ["Base", "Fuzzers"], path: "Tests/grange-fuzz")] : []

let package = Package(
  name: "grange",
  products: [.executable(name: "grange", targets: ["grange"])],
  targets: [
    // What the system gives.
    .systemLibrary(name: "CLinux"),
    .systemLibrary(
      name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(
      name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CExpat", pkgConfig: "expat", providers: [.apt(["libexpat1-dev"])]),
    .target(name: "CShims"),

    // Foundations.
    layer("Base", ["CShims"]),
    layer("Crypto", ["Base", "COpenSSL", "CShims"]),
    layer("Codecs", ["Base", "CExpat"]),
    layer("Reactor", ["Base", "CLinux", "COpenSSL", "CShims"]),
    layer("HTTP", ["Base", "Codecs", "Reactor"]),

    // Storage.
    layer("LocalDB", ["Base", "CSQLite", "Crypto"]),
    layer("Mesh", ["Base", "Codecs", "Crypto", "LocalDB", "Reactor"]),
    layer("Layout", ["Base", "Codecs", "Crypto"]),
    layer("Cluster", ["Base", "Codecs", "Crypto", "Layout", "LocalDB", "Mesh", "Reactor"]),
    layer("Tables", ["Base", "Codecs", "Crypto", "Layout", "LocalDB", "Mesh"]),
    layer("Blocks", ["Base", "CShims", "Codecs", "Crypto", "CZstd", "LocalDB", "Tables"]),
    layer("Model", ["Base", "Blocks", "Codecs", "Crypto", "LocalDB", "Tables"]),

    // The cluster.

    // Interfaces.
    layer("APICommon", ["Base", "Codecs", "Crypto", "HTTP", "Model", "Reactor"]),
    layer("S3API", ["APICommon", "Base", "Codecs", "Crypto", "HTTP", "Model"]),
    layer(
      "AdminAPI",
      ["APICommon", "Base", "Blocks", "Codecs", "Crypto", "HTTP", "Layout", "Model"]),
    layer(
      "Daemon",
      [
        "AdminAPI", "APICommon", "Base", "Blocks", "CShims", "Cluster", "Codecs", "Crypto", "HTTP",
        "Layout", "LocalDB", "Mesh", "Model", "Reactor", "S3API", "Tables",
      ]),
    layer("CLI", ["Base", "Codecs", "Daemon", "HTTP", "Reactor"]),
    program("grange", ["CLI"]),
    program(
      "grange-bench",
      ["APICommon", "Base", "CLinux", "Codecs", "Crypto", "HTTP", "Mesh", "Reactor"]),

    // Tests. `SimulatedWorld` is the simulated runtime, with hosts and the network between them: virtual time, seeded
    // order, one thread. `TestStorage` is a real folder with a database in it. `SimulatedCluster` is several replicas.
    layer(
      "SimulatedWorld", ["Base", "LocalDB", "Reactor", "TestStorage"], path: "Tests/SimulatedWorld"),
    layer("TestStorage", ["Base", "LocalDB"], path: "Tests/TestStorage"),
    layer(
      "SimulatedCluster", ["Base", "LocalDB", "SimulatedWorld", "Tables"],
      path: "Tests/SimulatedCluster"),
    layer(
      "Fuzzers",
      [
        "APICommon", "AdminAPI", "Base", "Blocks", "Cluster", "Codecs", "Crypto", "Daemon", "HTTP",
        "Layout", "LocalDB", "Mesh", "Model", "Reactor", "S3API", "SimulatedWorld", "Tables",
        "TestStorage",
      ], path: "Tests/Fuzzers"),
    tests("FuzzTests", ["Base", "Fuzzers", "SimulatedWorld"]),
    layer("TestCertificates", ["Base", "COpenSSL", "Reactor"], path: "Tests/TestCertificates"),
    tests("APICommonTests", ["APICommon", "Base", "Codecs", "Crypto", "HTTP", "Model"]),
    tests("BaseTests", ["Base"]),
    tests(
      "BlocksTests",
      [
        "Base", "Blocks", "CShims", "Codecs", "Crypto", "LocalDB", "Reactor", "SimulatedWorld",
        "Tables", "TestStorage",
      ]),
    tests(
      "ClusterTests",
      [
        "Base", "Cluster", "Codecs", "Crypto", "Layout", "LocalDB", "Reactor", "SimulatedWorld",
        "TestStorage",
      ]),
    tests("LayoutTests", ["Base", "Codecs", "Crypto", "Layout", "SimulatedWorld"]),
    tests("MeshTests", ["Base", "Codecs", "Crypto", "Mesh", "Reactor", "SimulatedWorld"]),
    tests("LocalDBTests", ["Base", "CSQLite", "LocalDB", "SimulatedWorld", "TestStorage"]),
    tests(
      "TablesTests",
      [
        "Base", "Codecs", "Crypto", "Layout", "LocalDB", "Mesh", "SimulatedCluster",
        "SimulatedWorld", "Tables", "TestStorage",
      ]),
    tests(
      "ModelTests",
      [
        "Base", "Blocks", "Codecs", "Crypto", "LocalDB", "Model", "SimulatedCluster",
        "SimulatedWorld", "Tables", "TestStorage",
      ]),
    tests("TidyTests", []),
    tests("CodecsTests", ["Base", "Codecs"]),
    tests(
      "DaemonTests",
      [
        "APICommon", "AdminAPI", "Base", "Blocks", "Codecs", "Daemon", "HTTP", "LocalDB", "Model",
        "Reactor", "SimulatedWorld", "TestStorage",
      ]),
    tests("CLITests", ["Base", "CLI", "Codecs", "Daemon", "Reactor"]),
    tests(
      "AdminAPITests",
      [
        "AdminAPI", "Base", "Blocks", "Codecs", "Layout", "LocalDB", "Model", "SimulatedWorld",
        "Tables", "TestStorage",
      ]),
    tests("CryptoTests", ["Base", "CShims", "Crypto"]),
    tests("HTTPTests", ["Base", "HTTP", "Reactor", "SimulatedWorld", "TestCertificates"]),
    tests(
      "ReactorTests",
      ["Base", "CLinux", "Reactor", "SimulatedWorld", "TestCertificates"]),
    tests(
      "S3APITests",
      [
        "APICommon", "Base", "Blocks", "Codecs", "Crypto", "HTTP", "LocalDB", "Model", "Reactor",
        "S3API", "SimulatedWorld", "Tables", "TestStorage",
      ]),
    tests(
      "SimulatedWorldTests", ["Base", "LocalDB", "Reactor", "SimulatedWorld", "TestStorage"]),
    tests(
      "Simulation",
      [
        "APICommon", "Base", "Cluster", "Codecs", "Crypto", "Daemon", "HTTP", "Mesh", "Reactor",
        "SimulatedWorld", "Tables",
      ]),
  ] + fuzzing,
  swiftLanguageModes: [.v6]
)
