// What reaches the disk beside writes that fail.

import Base
import Cluster
import Crypto
import Glibc
import LocalDB
import Reactor
import SimulatedWorld
import Synchronization
import TestStorage
import Testing

@Suite struct ClusterServiceFaultTests {
  private struct Refused: Error {}

  private final class NoNetwork: Network {
    func resolve(
      host: String, port: UInt16, deadline: MonotonicInstant
    ) async throws -> [SocketAddress] { throw StreamError.timedOut }
    func connect(
      to address: SocketAddress, deadline: MonotonicInstant
    ) async throws -> any ByteStream { throw StreamError.timedOut }
    func listen(_ address: SocketAddress) throws -> any NetworkListener {
      throw StreamError.timedOut
    }
    func listen(unixPath path: String, mode: UInt32) throws -> any NetworkListener {
      throw StreamError.timedOut
    }
  }

  private let folder = TemporaryFolder()
  private let group = EventLoopGroup(loopCount: 1, blockingThreads: 1)

  /// A node's database and its membership, of one key and folder.
  private func open() throws -> (LocalDatabase, ClusterService) {
    let key = try #require(Ed25519PrivateKey(seed: [UInt8](repeating: 7, count: 32)))
    let database = try LocalDatabase.open(
      LocalDatabase.Options(path: folder.path + "/meta"), random: SystemRandom.shared)
    return (
      database,
      try ClusterService(
        ClusterService.Options(hostName: "a", program: "test"), key: key, database: database,
        network: NoNetwork(), runtime: group, logger: .disabled)
    )
  }

  @Test func whatTheDiskDidNotTakeIsNotKnown() async throws {
    let (database, service) = try open()
    try await database.write { try service.foundIfFresh(in: $0) }
    database.close()
    await #expect(throws: LocalDBError.self) {
      try await service.invite(expiresIn: .seconds(60), uses: 1, zone: nil)
    }
    #expect(service.invites.isEmpty)
  }

  /// A write of somebody else that fails after it has changed something makes the database run the whole batch again.
  @Test func anInviteIsOnTheDiskAlsoWhenItsBatchRanTwice() async throws {
    let (database, service) = try open()
    try await database.write { try service.foundIfFresh(in: $0) }
    let tree = try database.tree("others")
    let gate = Mutex(false)
    let runs = Mutex(0)
    let isHeld = Mutex(false)
    // Holds the writer until the others wait behind it, so that they are one batch.
    async let holding: Void = database.write { transaction in
      isHeld.withLock { $0 = true }
      while !gate.withLock({ $0 }) { usleep(1000) }
      try transaction.put(tree, [0], [0])
    }
    while !isHeld.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(1)) }
    async let before: Void = database.write { transaction in
      runs.withLock { $0 += 1 }
      try transaction.put(tree, [1], [1])
    }
    async let inviting = service.invite(expiresIn: .seconds(60), uses: 1, zone: nil)
    try await Task.sleep(for: .milliseconds(200))
    let failing = Task {
      try await database.write { transaction in
        try transaction.put(tree, [2], [2])
        throw Refused()
      }
    }
    try await Task.sleep(for: .milliseconds(200))
    gate.withLock { $0 = true }
    try await holding
    try await before
    await #expect(throws: Refused.self) { try await failing.value }
    #expect(runs.withLock { $0 } == 2, "the batch did not run twice: the test shows nothing")
    let invite = try await inviting.invite
    database.close()
    let (again, restarted) = try open()
    defer { again.close() }
    #expect(restarted.invites.map(\.invite) == [invite])
  }
}
