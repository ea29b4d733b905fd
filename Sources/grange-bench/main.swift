// grange-bench: measures an S3 server, and what it is measured against.
//
// The server shares the machine with its client, so the client must cost little: one thread, one epoll, requests
// signed before the time is measured, answers checked without being parsed. `scripts/bench` drives it over a matrix
// of operations and sizes and runs an independent program beside it.

import Glibc

/// The limits that no server can pass, measured by themselves; `nil` when it is another command.
func baseline(_ arguments: [String]) -> Int32? {
  let seconds = arguments.last.flatMap(Double.init) ?? 3
  switch arguments.first {
  case "hash":
    print(HashRate.measure(seconds: seconds))
    return 0
  case "mesh":
    print(MeshRate.measure(seconds: seconds))
    return 0
  case "mesh-answer", "mesh-ask": return MeshLine.run(arguments)
  case "disk" where arguments.count > 1:
    guard let rate = DiskRate.measure(in: arguments[1], seconds: seconds) else {
      print("grange-bench: cannot write to \(arguments[1]): \(String(cString: strerror(errno)))")
      return 1
    }
    print(rate)
    return 0
  default: return nil
  }
}

let arguments = Array(CommandLine.arguments.dropFirst())
if let code = baseline(arguments) { exit(code) }
let secret = getenv("GRANGE_BENCH_SECRET").map { String(cString: $0) }
do throws(OptionError) {
  let options = try BenchmarkOptions(arguments: arguments, secretFromEnvironment: secret)
  signal(SIGPIPE, SIG_IGN)
  let summary = try measure(options)
  print(options.isJSON ? summary.json(of: options) : summary.line(of: options))
  exit(summary.errors == 0 && summary.operations > 0 ? 0 : 1)
} catch {
  print("grange-bench: \(error.message)\n\n\(BenchmarkOptions.usage)")
  exit(2)
}
