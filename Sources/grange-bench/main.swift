// grange-bench: measures an S3 server with Grange's own HTTP client and signatures.
//
// One loop, one connection a worker, answers read to their end. `scripts/bench` drives it over a matrix
// of operations and sizes and runs an independent program beside it.

import Base
import Glibc
import HTTP
import Reactor

func measure(_ options: BenchmarkOptions, on group: EventLoopGroup) async -> Int32 {
  var clientOptions = HTTPClient.Options()
  clientOptions.idleConnectionsMax = options.concurrency
  let client = HTTPClient(options: clientOptions, runtime: group) { endpoint, deadline in
    guard case .tcp(let host, let port) = endpoint else { throw HTTPError.closed }
    return try await SocketStream.connect(host: host, port: port, deadline: deadline)
  }
  let workload = Workload(options, client: client, runtime: group)
  let start = group.now
  let end = start + options.duration
  let recorders = await withTaskGroup(of: LatencyRecorder.self) { tasks in
    for index in 0..<options.concurrency {
      tasks.addTask { await Worker(workload: workload, index: index).run(until: end) }
    }
    var all: [LatencyRecorder] = []
    for await recorder in tasks { all.append(recorder) }
    return all
  }
  let moves = options.operation == .put || options.operation == .get
  let summary = Summary(
    recorders, elapsed: group.now - start, bytesPerOperation: moves ? options.sizeBytes : 0)
  print(options.isJSON ? summary.json(of: options) : summary.line(of: options))
  return summary.errors == 0 && summary.operations > 0 ? 0 : 1
}

let secret = getenv("GRANGE_BENCH_SECRET").map { String(cString: $0) }
do throws(OptionError) {
  let options = try BenchmarkOptions(
    arguments: Array(CommandLine.arguments.dropFirst()), secretFromEnvironment: secret)
  let group = EventLoopGroup(loopCount: 1, blockingThreads: 1)
  exit(group.run { await measure(options, on: group) })
} catch {
  print("grange-bench: \(error.message)\n\n\(BenchmarkOptions.usage)")
  exit(2)
}
