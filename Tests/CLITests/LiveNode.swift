// A node in this process, with its data in a temporary folder and ports of the kernel's choice.

import Daemon
import Glibc
import Reactor

/// A running node, stopped by `stop`.
final class LiveNode: Sendable {
  /// Its folder, for `--data`.
  let folder: String
  /// What it printed at its start.
  let announcement: String
  /// Where S3 answers.
  let endpoint: String
  /// The port of the admin interface on 127.0.0.1.
  let adminPort: UInt16
  private let end: AsyncStream<Void>.Continuation
  private let ended: AsyncStream<Void>

  /// Starts a node in a new folder, or again in `folder`.
  static func start(
    in folder: String? = nil, environment: [String: String] = [:], isQuickstart: Bool = true
  ) async throws -> LiveNode {
    let folder = folder ?? newFolder()
    let lines = Lines()
    let (starts, start) = AsyncStream<Result<RunningNode, NodeFailure>>.makeStream()
    let (ends, end) = AsyncStream<Void>.makeStream()
    let (ended, hasEnded) = AsyncStream<Void>.makeStream()
    var settings = environment
    for (name, bind) in [("S3", "127.0.0.1:0"), ("ADMIN", "127.0.0.1:0"), ("RPC", "127.0.0.1:0")] {
      settings["GRANGE_\(name)_BIND"] = settings["GRANGE_\(name)_BIND"] ?? bind
    }
    settings["GRANGE_CONFIG"] = "/dev/null"
    settings["GRANGE_LOG_LEVEL"] = "error"
    let loaded = try ConfigurationLoader.load(
      ConfigurationSources(dataFlag: folder, environment: settings))
    let variables = settings
    Pthread.start {
      let group = EventLoopGroup(loopCount: 2, blockingThreads: 4)
      let node = Node(
        configuration: loaded, environment: variables, isQuickstart: isQuickstart,
        instructions: CommandInstructions(options: " --data \(folder)"),
        platform: .machine(group),
        announce: { lines.add($0) })
      _ = group.run {
        do {
          let running = try await node.start()
          start.yield(.success(running))
          for await _ in ends {}
          await running.stop(grace: .milliseconds(100))
        } catch {
          start.yield(.failure(error as? NodeFailure ?? NodeFailure("\(error)")))
        }
        return 0
      }
      hasEnded.finish()
    }
    for await result in starts {
      let running = try result.get()
      let port = running.adminEndpoint.split(separator: ":").last.flatMap { UInt16($0) }
      return LiveNode(
        folder: folder, announcement: lines.text, endpoint: running.endpoint,
        adminPort: port ?? 0, end: end, ended: ended)
    }
    throw NodeFailure("the node ended before it began")
  }

  private init(
    folder: String, announcement: String, endpoint: String, adminPort: UInt16,
    end: AsyncStream<Void>.Continuation,
    ended: AsyncStream<Void>
  ) {
    self.folder = folder
    self.announcement = announcement
    self.endpoint = endpoint
    self.adminPort = adminPort
    self.end = end
    self.ended = ended
  }

  /// Stops it and waits until all is closed.
  func stop() async {
    end.finish()
    for await _ in ended {}
  }

  /// Runs a command against it.
  func command(_ line: String...) -> Ran {
    run(line + ["--data", folder], environment: ["GRANGE_CONFIG": "/dev/null"])
  }

  static func newFolder() -> String {
    var template = Array("/tmp/grange-node-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { return "/tmp/grange-node" }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// A thread of its own: an event loop takes the one that it is given.
enum Pthread {
  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  static func start(_ run: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    let body = Unmanaged.passRetained(Body(run)).toOpaque()
    let failed = pthread_create(
      &thread, nil,
      { body in
        if let body { Unmanaged<Body>.fromOpaque(body).takeRetainedValue().run() }
        return nil
      }, body)
    precondition(failed == 0, "no more threads")
    pthread_detach(thread)
  }
}
