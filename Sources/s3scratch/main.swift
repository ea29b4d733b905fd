import Base
import Blocks
import Glibc
import HTTP
import LocalDB
import Model
import Reactor
import S3API
import Tables

let folder = CommandLine.arguments[1]
let port = UInt16(CommandLine.arguments[2]) ?? 3999
let group = EventLoopGroup(loopCount: 2, blockingThreads: 8)
func make() throws -> (Store, HTTPServer, Listener) {
  let metrics = MetricsRegistry()
  let output = LogOutput(level: .info, format: .plain)
  let logger = Logger(output: output, label: "s3")
  let clock = HybridClock(runtime: group)
  let node = NodeID(random: SystemRandom.shared)
  mkdir(folder, 0o700)
  let replica = try LocalTableReplica(
    node: node,
    database: LocalDatabase.open(
      LocalDatabase.Options(path: folder + "/meta"), random: SystemRandom.shared), clock: clock,
    random: SystemRandom.shared)
  let blocks = try BlockService(
    BlockService.Options(node: node, directories: [DataDirectoryOptions(path: folder + "/data")]),
    replica: replica, runtime: group, metrics: metrics, logger: logger)
  let store = try Store(
    replica: replica,
    coordinator: TableCoordinator(
      placement: SoleNodePlacement(replica), clock: clock, runtime: group),
    blocks: blocks, runtime: group, metrics: metrics, logger: logger)
  let handler = S3Handler(
    options: .init(region: CommandLine.arguments.count > 3 ? CommandLine.arguments[3] : "grange", rootDomain: ".s3.grange.localhost"), store: store,
    runtime: group, metrics: metrics, logger: logger)
  var options = HTTPServer.Options()
  options.requestIDHeader = S3Handler.requestIDHeader
  let server = HTTPServer(
    options: options, runtime: group, handler: handler, metrics: metrics, logger: logger)
  return (store, server, try Listener.tcp(host: "127.0.0.1", port: port))
}
exit(
  group.run {
    do {
      let (store, server, listener) = try make()
      store.start()
      do {
        _ = try await store.accessKeys.importKey(
          id: "GK0123456789abcdef01234567",
          secret: "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", name: "t")
      } catch {}
      _ = try await store.accessKeys.update("GK0123456789abcdef01234567", mayCreateBuckets: true)
      print("serving")
      await listener.serve(on: group, limit: 1000) { stream in
        await server.serve(stream, isTLS: false)
      }
    } catch { print("error: \(error)") }
    return 1
  })
