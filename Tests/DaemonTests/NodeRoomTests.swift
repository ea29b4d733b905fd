import AdminAPI
import Daemon
import Glibc
import Testing

@Suite struct NodeRoomTests {
  @Test func aDiskMayReportAnything() {
    var room = NodeStatus.Room(availableBytes: 0, totalBytes: 0)
    var disk = statvfs()
    disk.f_frsize = 4096
    disk.f_bavail = 3
    disk.f_blocks = 1 << 52
    room.add(disk)
    #expect(room.availableBytes == 3 * 4096)
    #expect(room.totalBytes == .max)
    disk.f_bavail = .max
    room.add(disk)
    #expect(room.availableBytes == .max)
    #expect(room.totalBytes == .max)
  }
}
