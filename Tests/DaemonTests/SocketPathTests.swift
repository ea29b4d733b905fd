import Daemon
import Glibc
import Reactor
import Testing

@Suite struct SocketPathTests {
  @Test func leavesAShortPathAlone() throws {
    #expect(try SocketPath("/run/grange/admin.sock").path == "/run/grange/admin.sock")
    #expect(SocketPath.adminSocket(in: "/m") == "/m/admin.sock")
    #expect(SocketPath.adminSocket(in: "/m/") == "/m/admin.sock")
  }

  @Test func reachesALongPathThroughItsFolder() throws {
    let folder = Files.newFolder() + "/" + String(repeating: "x", count: 120)
    mkdir(folder, 0o700)
    Files.write("here", to: folder + "/admin.sock")
    let path = try SocketPath(folder + "/admin.sock")
    #expect(path.path.utf8.count < 108)
    #expect(Files.read(path.path) == "here")
    withExtendedLifetime(path) {}
  }

  @Test func saysThatALongFolderIsMissing() {
    let path = "/tmp/" + String(repeating: "x", count: 120) + "/admin.sock"
    do {
      _ = try SocketPath(path)
      Issue.record("the folder is there")
    } catch {
      #expect((error as? StreamError).map { SocketPath.reason(of: $0) } == .notRunning)
    }
  }
}
