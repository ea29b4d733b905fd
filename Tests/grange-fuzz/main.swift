// The program that libFuzzer drives: `FUZZER=name grange-fuzz [arguments of libFuzzer]`, or `grange-fuzz --list`.
// scripts/fuzz builds and runs it.
//
// libFuzzer would bring a `main` of its own; this one hands the arguments to it, and is called back for each input.

private import Fuzzers
private import Glibc

/// What is run.
private enum Chosen {
  /// The fuzzer that the variable FUZZER names.
  static let fuzzer: Fuzzer? = {
    let name = getenv("FUZZER").map { String(cString: $0) } ?? ""
    return Fuzzer.all.first { $0.name == name }
  }()
}

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
  _ count: UnsafeMutablePointer<CInt>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
  _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// Runs one input; libFuzzer's own `main`, which is not used, wants it by this name.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  do {
    try Chosen.fuzzer?.check(Array(UnsafeBufferPointer(start: start, count: count)))
  } catch {
    fatalError("\(error)")
  }
  return 0
}

if CommandLine.arguments.contains("--list") {
  for fuzzer in Fuzzer.all { puts(([fuzzer.name] + fuzzer.decoders).joined(separator: " ")) }
  exit(0)
}
guard Chosen.fuzzer != nil else {
  puts("FUZZER names none of: \(Fuzzer.all.map(\.name).joined(separator: " "))")
  exit(2)
}
var count = CommandLine.argc
var arguments = CommandLine.unsafeArgv
exit(runDriver(&count, &arguments, testOneInput))
