import Base
import Codecs
import Daemon
import Glibc
import Testing

/// Commands against a node in this process, through its socket.
@Suite(.serialized) struct NodeTests {
  private func json(_ ran: Ran) throws -> JSON {
    #expect(ran.code == 0, "\(ran.errors)")
    return try JSON.parse(ran.output)
  }

  @Test func servesBucketsAndKeysToCommands() async throws {
    let node = try await LiveNode.start()
    let status = try json(node.command("status", "--json"))
    #expect(status["health"] == "healthy")
    #expect(status["nodes"]?[0]?["isUp"] == true)
    #expect(status["nodes"]?[0]?["id"]?.string?.utf8.count == 64)
    for name in ["hostname", "addresses", "zone", "capacity", "tags"] {
      #expect(status["nodes"]?[0]?[name] != nil, "\(name)")
    }
    #expect(node.command("status", "--health").code == 0)
    #expect(node.command("status").output.hasPrefix("Health: healthy\n"))

    let key = try json(node.command("key", "create", "backup", "--json"))
    let id = try #require(key["accessKeyId"]?.string)
    #expect(id.hasPrefix("GK") && id.utf8.count == 26)
    #expect(key["secretAccessKey"]?.string?.utf8.count == 64)
    #expect(try json(node.command("key", "info", id, "--json"))["secretAccessKey"]?.isNull == true)
    #expect(
      try json(node.command("key", "info", "backup", "--show-secret", "--json"))["secretAccessKey"]
        == key["secretAccessKey"])

    #expect(node.command("bucket", "create", "photos").code == 0)
    #expect(node.command("bucket", "create", "photos").errors.contains("taken"))
    let allowed = try json(
      node.command("bucket", "allow", "photos", "--key", "backup", "--read", "--write", "--json"))
    #expect(allowed["keys"]?[0]?["permissions"] == ["read": true, "write": true, "owner": false])
    let denied = try json(
      node.command("bucket", "deny", "photos", "--key", id, "--write", "--json"))
    #expect(denied["keys"]?[0]?["permissions"] == ["read": true, "write": false, "owner": false])

    #expect(node.command("bucket", "alias", "photos", "pictures").code == 0)
    #expect(node.command("bucket", "unalias", "photos").code == 0)
    #expect(node.command("bucket", "unalias", "pictures").errors.contains("only name"))
    #expect(node.command("bucket", "alias", "pictures", "mine", "--local", "backup").code == 0)
    #expect(node.command("bucket", "unalias", "mine", "--local", id).code == 0)
    let own = try json(node.command("bucket", "create", "own", "--local", "backup", "--json"))
    #expect(own["globalAliases"]?.array?.isEmpty == true)
    #expect(own["keys"]?[0]?["bucketLocalAliases"] == ["own"])
    #expect(own["keys"]?[0]?["permissions"] == ["read": true, "write": true, "owner": true])
    #expect(node.command("bucket", "info", "own", "--json").output.contains(id))
    #expect(node.command("bucket", "delete", "own").code == 0)
    #expect(node.command("bucket", "info", "pictures").output.contains("backup"))

    #expect(node.command("key", "rename", id, "other").code == 0)
    #expect(
      try json(node.command("key", "allow", "other", "--create-bucket", "--json"))["permissions"]
        == ["createBucket": true])
    #expect(
      try json(node.command("key", "deny", "other", "--create-bucket", "--json"))["permissions"]
        == ["createBucket": false])
    #expect(node.command("key", "delete", "other").errors.contains("add --yes"))
    #expect(node.command("key", "delete", "other", "--yes").code == 0)
    #expect(node.command("key", "info", id).errors == "there is no access key \(id)")
    #expect(node.command("bucket", "delete", "pictures").code == 0)
    #expect(try json(node.command("bucket", "list", "--json")).array?.count == 1)
    let imported = node.command(
      "key", "import", "AKIAEXAMPLE0123456", "a-secret-of-some-length", "--name", "old")
    #expect(imported.code == 0, "\(imported.errors)")
    #expect(!imported.output.contains("a-secret-of-some-length"))

    let check = try json(node.command("repair", "blocks", "--check", "--json"))
    #expect(check["problemCount"] == 0)
    await node.stop()
  }

  @Test func endsKeys() async throws {
    let node = try await LiveNode.start()
    let key = try json(node.command("key", "create", "guest", "--expires", "2d", "--json"))
    let id = try #require(key["accessKeyId"]?.string)
    #expect(key["expiration"] != nil && key["expired"] == false)
    func update(_ text: String) throws -> JSON {
      try json(node.command("key", "update", id, "--expires", text, "--json"))
    }
    #expect(try update("2031-02-03")["expiration"] == "2031-02-03T00:00:00.000Z")
    #expect(try update("2031-02-03T04:05:06+01:00")["expiration"] == "2031-02-03T03:05:06.000Z")
    #expect(try update("never")["expiration"]?.isNull == true)
    #expect(try update("2020-01-01")["expired"] == true)
    #expect(node.command("key", "info", id).output.contains("Z (it no longer works)\n"))
    #expect(
      try json(node.command("key", "update", id, "--name", "visitor", "--json"))["name"]
        == "visitor")
    #expect(node.command("key", "update", id, "--expires", "2031-02-30").errors.contains("no date"))
    // What is refused leaves no key behind.
    #expect(node.command("key", "create", "late", "--expires", "2031-02-30").code == 1)
    #expect(try json(node.command("key", "list", "--json")).array?.count == 2)
    await node.stop()
  }

  @Test func findsWhatIsMeant() async throws {
    let node = try await LiveNode.start()
    for name in ["photos", "phones", "backup"] {
      #expect(node.command("bucket", "create", name).code == 0)
    }
    let id = try #require(
      try json(node.command("bucket", "info", "photos", "--json"))["id"]?.string)
    for text in [id, String(id.prefix(5)), "phot", "photos"] {
      #expect(
        try json(node.command("bucket", "info", text, "--json"))["id"]?.string == id, "\(text)")
    }
    let ambiguous = node.command("bucket", "info", "pho").errors
    #expect(ambiguous.hasPrefix("pho may mean 2 buckets: phones ("), "\(ambiguous)")
    #expect(ambiguous.contains("; photos (\(id.prefix(26))); say more"), "\(ambiguous)")
    #expect(
      node.command("bucket", "delete", "bakcup").errors
        == "there is no bucket bakcup; did you mean backup?")
    #expect(
      node.command("bucket", "unalias", "photo").errors
        == "there is no bucket photo; did you mean photos?")
    #expect(
      node.command("bucket", "info", id.prefix(3) + "").errors.hasPrefix("there is no bucket"))

    let alice = try json(node.command("key", "create", "alice", "--json"))
    let key = try #require(alice["accessKeyId"]?.string)
    _ = node.command("key", "create", "alina")
    for text in [key, String(key.prefix(8)), "alic"] {
      #expect(
        try json(node.command("bucket", "allow", "phot", "--key", text, "--read", "--json"))[
          "keys"]?[0]?["accessKeyId"]?.string == key)
    }
    #expect(node.command("key", "info", "ali").errors.hasPrefix("ali may mean 2 access keys: "))
    #expect(node.command("key", "info", "alcie").errors.hasSuffix("; did you mean alice?"))
    _ = node.command("key", "create", "alice")
    #expect(node.command("key", "info", "alice").errors.hasPrefix("alice may mean 2 access keys: "))
    await node.stop()
  }

  @Test func limitsBuckets() async throws {
    let node = try await LiveNode.start()
    let set = try json(
      node.command("bucket", "quota", "first", "--max-size", "1.5G", "--max-objects", "7", "--json")
    )
    #expect(set["quotas"] == ["maxSize": .integer(3 << 29), "maxObjects": 7])
    // What is not named stays.
    let lifted = try json(node.command("bucket", "quota", "first", "--max-size", "none", "--json"))
    #expect(lifted["quotas"] == ["maxSize": nil, "maxObjects": 7])
    #expect(try json(node.command("bucket", "info", "first", "--json")) == lifted)
    #expect(node.command("bucket", "info", "first").output.contains("0 of at most 7\n"))
    #expect(node.command("bucket", "quota", "first").errors.hasPrefix("say which limit"))
    for (option, value) in [
      ("--max-size", "much"), ("--max-size", "-1"), ("--max-objects", "1.5"), ("--max-objects", ""),
      ("--max-objects", "9223372036854775808"),
    ] {
      let ran = node.command("bucket", "quota", "first", option, value)
      #expect(ran.code == 2 && ran.errors.hasPrefix("\(option) takes"), "\(ran)")
    }
    await node.stop()
  }

  @Test func makesTheFirstKeyAndBucketOnce() async throws {
    var node = try await LiveNode.start()
    #expect(node.announcement.contains("Bucket      first"))
    #expect(node.announcement.contains("Endpoint    \(node.endpoint)"))
    let keys = try json(node.command("key", "list", "--json"))
    let id = try #require(keys[0]?["id"]?.string)
    #expect(keys.array?.count == 1)
    let secret = try json(node.command("key", "info", id, "--show-secret", "--json"))[
      "secretAccessKey"]?.string
    // Standard output is no terminal in tests.
    #expect(!node.announcement.contains(try #require(secret)))
    await node.stop()
    node = try await LiveNode.start(in: node.folder)
    #expect(try json(node.command("key", "list", "--json"))[0]?["id"]?.string == id)
    #expect(try json(node.command("bucket", "list", "--json")).array?.count == 1)
    #expect(node.announcement.contains(id))
    await node.stop()
  }

  @Test func takesTheFirstKeyAndBucketFromTheEnvironment() async throws {
    let environment = [
      "GRANGE_DEFAULT_ACCESS_KEY": "GK0123456789abcdef01234567",
      "GRANGE_DEFAULT_SECRET_KEY": "00112233445566778899aabbccddeeff",
      "GRANGE_DEFAULT_BUCKET": "mine",
    ]
    let node = try await LiveNode.start(environment: environment, isQuickstart: false)
    let bucket = try json(node.command("bucket", "info", "mine", "--json"))
    #expect(bucket["keys"]?[0]?["accessKeyId"] == "GK0123456789abcdef01234567")
    await node.stop()
    await #expect(throws: NodeFailure.self) {
      try await LiveNode.start(environment: ["GRANGE_DEFAULT_ACCESS_KEY": "GK0123456789abcdef"])
    }
    do {
      _ = try await LiveNode.start(environment: ["GRANGE_DEFAULT_BUCKET": "b"])
      Issue.record("a bucket has a name of one letter")
    } catch {
      #expect(
        "\(error)".hasSuffix("no name for a bucket: it must have 3 to 63 characters"), "\(error)")
    }
  }

  @Test func refusesAFolderThatIsInUseAndAPortThatIsTaken() async throws {
    let node = try await LiveNode.start()
    do {
      _ = try await LiveNode.start(in: node.folder)
      Issue.record("two nodes share a folder")
    } catch {
      #expect("\(error)".contains("is in use by process \(getpid())"), "\(error)")
    }
    let port = node.endpoint.split(separator: ":").last.map(String.init) ?? ""
    do {
      _ = try await LiveNode.start(environment: ["GRANGE_S3_BIND": "127.0.0.1:\(port)"])
      Issue.record("two nodes share a port")
    } catch {
      #expect("\(error)".hasPrefix("s3.bind: cannot listen on 127.0.0.1:\(port)"), "\(error)")
    }
    await node.stop()
  }

  @Test func isReachedThroughALongPath() async throws {
    let folder = LiveNode.newFolder() + "/" + String(repeating: "x", count: 120)
    mkdir(folder, 0o700)
    let node = try await LiveNode.start(in: folder)
    #expect(node.command("status").code == 0)
    await node.stop()
    #expect(node.command("status").errors.hasPrefix("no node is running"))
  }

  /// What the admin port answers: the status line's number.
  private func status(_ path: String, _ port: UInt16, token: String? = nil) -> Int? {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard connected == 0 else { return nil }
    let field = token.map { "Authorization: Bearer \($0)\r\n" } ?? ""
    let request = "GET \(path) HTTP/1.1\r\nHost: x\r\n\(field)Connection: close\r\n\r\n"
    _ = Array(request.utf8).withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, 0) }
    var answer = [UInt8](repeating: 0, count: 64)
    let count = recv(descriptor, &answer, answer.count, Int32(MSG_WAITALL))
    let words = String(decoding: answer.prefix(max(0, count)), as: UTF8.self).split(separator: " ")
    return words.count > 1 ? Int(words[1]) : nil
  }

  @Test func asksForTokensOnTheAdminPort() async throws {
    var node = try await LiveNode.start(
      environment: ["GRANGE_ADMIN_TOKEN": "boss", "GRANGE_ADMIN_METRICS_TOKEN": "watch"])
    for (path, token, expected) in [
      ("/health", nil, 200), ("/metrics", nil, 403), ("/metrics", "watch", 200),
      ("/metrics", "boss", 200), ("/v2/ListKeys", nil, 403), ("/v2/ListKeys", "watch", 403),
      ("/v2/ListKeys", "bos", 403), ("/v2/ListKeys", "boss", 200), ("/v2/CreateKey", "boss", 405),
      ("/v2/Unknown", "boss", 501), ("/v2/GetBucketInfo?id=x", "boss", 400),
      ("/v2/GetKeyInfo?id=none", "boss", 404), ("/else", "boss", 404),
    ] as [(String, String?, Int)] {
      #expect(status(path, node.adminPort, token: token) == expected, "\(path) \(token ?? "-")")
    }
    await node.stop()
    node = try await LiveNode.start(in: node.folder)
    // Without an admin token the port gives away health and numbers alone.
    #expect(status("/metrics", node.adminPort) == 200)
    #expect(status("/v2/ListKeys", node.adminPort, token: "") == 403)
    await node.stop()
  }
}
