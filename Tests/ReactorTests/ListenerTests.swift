import Base
import Glibc
import Reactor
import Testing

@Suite("Listener")
struct ListenerTests {
  /// Answers everything with itself until the client has finished.
  private static let echo: @Sendable (SocketStream) async -> Void = { stream in
    while let bytes = try? await read(stream), !bytes.isEmpty {
      guard (try? await write(bytes, to: stream)) != nil else { return }
    }
  }

  @Test("echoes under load on two loops")
  func load() async throws {
    try await onLoops(2) { group in
      let listener = try Listener.tcp(host: "127.0.0.1", port: 0)
      let serving = group.spawn {
        await listener.serve(on: group, limit: 100, handler: Self.echo)
      }
      await withTaskGroup(of: Void.self) { clients in
        for client in 0..<50 {
          clients.addTask(executorPreference: group.loops[client % 2]) {
            do {
              let stream = try await SocketStream.connect(
                to: listener.localAddress, deadline: soon())
              for round in 0..<100 {
                let message = pattern(1 + (client * 7919 + round * 104_729) % 20_000, seed: round)
                try await write(message, to: stream)
                #expect(try await read(stream, exactly: message.count) == message)
              }
              stream.close()
            } catch {
              Issue.record("client \(client): \(error)")
            }
          }
        }
      }
      listener.close()
      await serving.value
    }
  }

  @Test("takes IPv4 and IPv6 on one dual-stack socket")
  func dualStack() async throws {
    try await onLoops { group in
      let listener = try Listener.tcp(host: "::", port: 0)
      let serving = group.spawn {
        await listener.serve(on: group, limit: 10) { stream in
          try? await write(Array(stream.peerDescription.utf8), to: stream)
        }
      }
      let port = try #require(listener.localAddress.port)
      for (host, prefix) in [("127.0.0.1", "127.0.0.1:"), ("::1", "[::1]:"), ("localhost", "")] {
        // A machine without IPv6 has a listener for IPv4 only.
        if host == "::1" && !listener.localAddress.isIPv6 { continue }
        let stream = try await SocketStream.connect(host: host, port: port, deadline: soon())
        let name = String(decoding: try await readAll(stream), as: UTF8.self)
        #expect(name.hasPrefix(prefix))
      }
      listener.close()
      await serving.value
    }
  }

  @Test("serves a Unix socket with the permissions asked for, at a path of any length")
  func unixSocket() async throws {
    try await onLoops { group in
      let folder = try TemporaryFolder()
      let long = folder.path + "/" + String(repeating: "d", count: 150)
      #expect(mkdir(long, 0o700) == 0)
      for path in [folder.path + "/short.sock", long + "/long.sock"] {
        let listener = try Listener.unix(path: path, mode: 0o600)
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        let serving = group.spawn {
          await listener.serve(on: group, limit: 10, handler: Self.echo)
        }
        let stream = try await SocketStream.connect(to: .unix(path: path), deadline: soon())
        try await write([1, 2], to: stream)
        #expect(try await read(stream, exactly: 2) == [1, 2])
        #expect(throws: ListenError.self) { try Listener.unix(path: path, mode: 0o600) }
        stream.close()
        listener.close()
        await serving.value
        #expect(stat(path, &status) != 0)
      }
    }
  }

  @Test("replaces the socket file of a process that was killed, and nothing else")
  func staleSocket() async throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/s"
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    #expect(bound == 0)
    close(descriptor)
    try Listener.unix(path: path, mode: 0o660).close()

    let file = folder.path + "/file"
    close(open(file, O_CREAT | O_WRONLY, 0o600))
    #expect(throws: ListenError.self) { try Listener.unix(path: file, mode: 0o600) }
    #expect(access(file, F_OK) == 0)
  }

  @Test("has no more connections open than its limit")
  func limit() async throws {
    try await onLoops(2) { group in
      let listener = try Listener.tcp(host: "127.0.0.1", port: 0)
      let open = Tally()
      let served = Tally()
      let serving = group.spawn {
        await listener.serve(on: group, limit: 3) { stream in
          open.add()
          #expect(open.value <= 3)
          _ = try? await read(stream)
          open.add(-1)
          served.add()
        }
      }
      await withTaskGroup(of: Void.self) { clients in
        for _ in 0..<30 {
          clients.addTask {
            do {
              let stream = try await SocketStream.connect(
                to: listener.localAddress, deadline: soon())
              try await group.sleep(for: .milliseconds(1))
              try await write([1], to: stream)
              _ = try? await readAll(stream)
            } catch {
              Issue.record("\(error)")
            }
          }
        }
      }
      listener.close()
      await serving.value
      #expect(served.value == 30)
    }
  }

  @Test("cancels its connections when it is cancelled itself, even at the limit")
  func cancelled() async throws {
    try await onLoops(2) { group in
      for limit in [1, 10] {
        let listener = try Listener.tcp(host: "127.0.0.1", port: 0)
        let ended = Tally()
        let began = Tally()
        let serving = group.spawn {
          await listener.serve(on: group, limit: limit) { stream in
            began.add()
            await #expect(throws: CancellationError.self) { _ = try await read(stream) }
            ended.add()
          }
        }
        let streams = [
          try await SocketStream.connect(to: listener.localAddress, deadline: soon()),
          try await SocketStream.connect(to: listener.localAddress, deadline: soon()),
        ]
        while began.value < min(limit, 2) { try await group.sleep(for: .milliseconds(1)) }
        serving.cancel()
        await serving.value
        #expect(ended.value == began.value)
        for stream in streams { stream.close() }
      }
    }
  }

  @Test("refuses a port that is taken, and says so")
  func taken() throws {
    let listener = try Listener.tcp(host: "127.0.0.1", port: 0)
    defer { listener.close() }
    #expect {
      try Listener.tcp(listener.localAddress)
    } throws: { error in
      "\(error)".contains("\(listener.localAddress)") && "\(error)".contains("already in use")
    }
  }

  @Test("reports a connection that is refused, and a name that does not exist")
  func refused() async throws {
    try await onLoops { group in
      let listener = try Listener.tcp(host: "127.0.0.1", port: 0)
      let address = listener.localAddress
      listener.close()
      await #expect(throws: StreamError.disconnected(errno: ECONNREFUSED)) {
        _ = try await SocketStream.connect(to: address, deadline: soon())
      }
      await #expect(throws: StreamError.self) {
        _ = try await SocketStream.connect(
          host: "no-such-host.invalid", port: 1, deadline: soon())
      }
    }
  }

  @Test("ends a connection attempt at its deadline and at a cancellation")
  func connectDeadline() async throws {
    try await onLoops { group in
      // Never accepted from, and full: the kernel drops further attempts in silence.
      let listener = try Listener.tcp(host: "127.0.0.1", port: 0)
      let folder = try TemporaryFolder()
      let unix = try Listener.unix(path: folder.path + "/full", mode: 0o600)
      defer {
        listener.close()
        unix.close()
      }
      var kept: [SocketStream] = []
      var timeouts = 0
      while timeouts == 0 && kept.count < 5000 {
        do {
          kept.append(
            try await SocketStream.connect(
              to: unix.localAddress, deadline: group.now + .milliseconds(20)))
        } catch {
          #expect(error as? StreamError == .timedOut)
          timeouts += 1
        }
      }
      #expect(timeouts == 1)
      let attempt = group.spawn {
        await #expect(throws: CancellationError.self) {
          _ = try await SocketStream.connect(to: unix.localAddress, deadline: soon())
        }
      }
      try await group.sleep(for: .milliseconds(3))
      attempt.cancel()
      await attempt.value
    }
  }

  @Test("pauses when no descriptor is left, and goes on when there are some")
  func outOfDescriptors() async {
    // The limit is the process's, so this has a process of its own.
    await #expect(processExitsWith: .success) {
      try await onLoops { group in
        let listener = try Listener.tcp(host: "127.0.0.1", port: 0)
        let serving = group.spawn {
          await listener.serve(on: group, limit: 100) { stream in
            while let bytes = try? await read(stream), !bytes.isEmpty {
              try? await write(bytes, to: stream)
            }
          }
        }
        var limit = rlimit(rlim_cur: 100, rlim_max: 100)
        precondition(setrlimit(__rlimit_resource_t(7), &limit) == 0)
        // Something else in the process may give a descriptor back just then, so try until it happens.
        for attempt in 1... {
          precondition(attempt < 20, "never ran out of descriptors")
          var used: [Int32] = []
          while true {
            let descriptor = dup(0)
            if descriptor < 0 { break }
            used.append(descriptor)
          }
          defer { for descriptor in used { close(descriptor) } }
          // Room for the client's descriptor and not for the server's.
          close(used.removeLast())
          let stream = try await SocketStream.connect(to: listener.localAddress, deadline: soon())
          try await write([5], to: stream)
          do {
            _ = try await read(stream, deadline: group.now + .milliseconds(50))
            // The server's descriptor would be free in the middle of the next attempt.
            try await stream.finishWriting(deadline: soon())
            while try await !read(stream).isEmpty {}
            continue
          } catch StreamError.timedOut {
            close(used.removeLast())
          }
          let answer = try await read(stream)
          precondition(answer == [5])
          break
        }
        var usage = rusage()
        getrusage(0, &usage)
        precondition(usage.ru_utime.tv_sec < 2, "it spins")
        listener.close()
        await serving.value
      }
    }
  }
}

/// A folder under /tmp, removed with what it holds when dropped.
final class TemporaryFolder: Sendable {
  let path: String

  struct Failed: Error {}

  init() throws {
    var template = Array("/tmp/grange-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Failed() }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { Self.remove(path) }

  private static func remove(_ path: String) {
    if let folder = opendir(path) {
      while let entry = readdir(folder) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) {
          String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name != "." && name != ".." { remove(path + "/" + name) }
      }
      closedir(folder)
      rmdir(path)
    } else {
      unlink(path)
    }
  }
}
