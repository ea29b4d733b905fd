// The first layout version: by the founder's first row, or by `layout apply`, whichever commits first.

import Base
import Cluster
import Crypto
import Glibc
import Layout
import LocalDB
import Reactor
import SimulatedWorld
import Synchronization
import TestStorage
import Testing

@Suite struct LayoutDecisionFaultTests {
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

  private func open(
    capacity: UInt64? = 5000, allowsOtherHolders: Bool = false
  ) throws -> (LocalDatabase, ClusterService) {
    let key = try #require(Ed25519PrivateKey(seed: [UInt8](repeating: 7, count: 32)))
    let database = try LocalDatabase.open(
      LocalDatabase.Options(path: folder.path + "/meta"), random: SystemRandom.shared)
    var options = ClusterService.Options(hostName: "a", program: "test")
    options.zone = "attic"
    options.allowsOtherHolders = allowsOtherHolders
    let service = try ClusterService(
      options, key: key, database: database, network: NoNetwork(), runtime: group,
      logger: .disabled)
    if let capacity { service.offer(capacityBytes: capacity) }
    return (database, service)
  }

  private func stage(_ service: ClusterService, zone: String) async throws {
    let own = service.own
    try await service.stageLayout {
      try $0.assign(NodeRole(zone: zone, capacityBytes: 9), to: own)
    }
  }

  @Test func theFirstRowMakesOneOfTheFounderAlone() async throws {
    let (database, service) = try open()
    #expect(service.layoutNumber == 0 && service.isHolder)
    let told = Mutex<[UInt64]>([])
    service.onLayoutChange { told.withLock { $0.append(service.layout?.number ?? 0) } }
    let seen = Mutex<[UInt64]>([])
    try await database.write { transaction in
      try service.willChangeRow(in: transaction)
      seen.withLock { $0.append(service.layoutNumber) }
      try service.willChangeRow(in: transaction)
    }
    let layout = try #require(service.layout)
    #expect(seen.withLock { $0 } == [1], "later writes of the commit must see it")
    #expect(told.withLock { $0 } == [1])
    #expect(layout.number == 1 && layout.cluster == service.identity?.cluster)
    #expect(layout.roles.map(\.node) == [service.own])
    #expect(layout.role(of: service.own) == NodeRole(zone: "attic", capacityBytes: 5000))
    #expect(layout.parameters == LayoutParameters())
    database.close()
    let (again, restarted) = try open()
    defer { again.close() }
    #expect(restarted.layout == layout && restarted.layoutNumber == 1 && restarted.isHolder)
  }

  @Test func anInviteDecidesNothing() async throws {
    let (database, service) = try open()
    defer { database.close() }
    _ = try await service.invite(expiresIn: .seconds(60), uses: 1, zone: nil)
    #expect(service.identity != nil && service.layout == nil && service.layoutNumber == 0)
    try await database.write { try service.willChangeRow(in: $0) }
    #expect(service.layoutNumber == 1 && service.layout?.storageNodes == [service.own])
  }

  @Test func aNodeThatDoesNotKnowItsRoomStoresNothing() async throws {
    let (database, service) = try open(capacity: nil)
    defer { database.close() }
    await #expect(throws: NoLayout.self) {
      try await database.write { try service.willChangeRow(in: $0) }
    }
    #expect(service.identity == nil && service.layoutNumber == 0)
  }

  @Test func whatIsAppliedFirstStands() async throws {
    let (database, service) = try open()
    defer { database.close() }
    try await stage(service, zone: "cellar")
    await #expect(throws: ClusterRefusal.self) { try await service.applyLayout(number: 2) }
    let layout = try await service.applyLayout(number: 1)
    #expect(service.layout == layout && service.layoutNumber == 1)
    #expect(try service.stagedLayout().isEmpty)
    try await database.write { try service.willChangeRow(in: $0) }
    #expect(service.layout == layout)
    #expect(layout.role(of: service.own)?.zone == "cellar")
  }

  @Test func whatARowMadeStands() async throws {
    let (database, service) = try open()
    defer { database.close() }
    try await stage(service, zone: "cellar")
    try await database.write { try service.willChangeRow(in: $0) }
    let refusal = await #expect(throws: ClusterRefusal.self) {
      try await service.applyLayout(number: nil)
    }
    #expect(refusal?.description.contains("in use yet") == true)
    #expect(service.layout?.role(of: service.own)?.zone == "attic")
    // It is on top of another version now, and stays.
    #expect(try service.stagedLayout().base == 0 && !service.stagedLayout().isEmpty)
    try await service.revertLayout()
    #expect(try service.stagedLayout().isEmpty)
  }

  /// Both in one commit: memory knows of neither, and the database lets one of them be.
  @Test(arguments: [true, false])
  func ofTwoInOneCommitThereIsOne(rowIsFirst: Bool) async throws {
    let (database, service) = try open()
    try await stage(service, zone: "cellar")
    _ = try await service.invite(expiresIn: .seconds(60), uses: 1, zone: nil)
    let gate = Gate()
    async let holding: Void = gate.hold(database)
    await gate.waitUntilHeld()
    let row: @Sendable () async throws -> Void = {
      try await database.write { try service.willChangeRow(in: $0) }
    }
    let apply: @Sendable () async throws -> Void = { _ = try await service.applyLayout(number: 1) }
    async let first: Void = rowIsFirst ? row() : apply()
    try await Task.sleep(for: .milliseconds(200))
    async let second: Void = rowIsFirst ? apply() : row()
    try await Task.sleep(for: .milliseconds(200))
    gate.open()
    try await holding
    try await first
    if rowIsFirst {
      do {
        try await second
        Issue.record("two first versions")
      } catch { #expect(error is ClusterRefusal, "\(error)") }
    } else {
      try await second
    }
    let layout = try #require(service.layout)
    #expect(layout.role(of: service.own)?.zone == (rowIsFirst ? "attic" : "cellar"))
    #expect(service.layoutNumber == 1)
    database.close()
    let (again, restarted) = try open()
    defer { again.close() }
    #expect(restarted.layout == layout)
  }

  /// The number goes back with the body that raised it, also when the whole batch ran twice.
  @Test func whatIsUndoneWasNotDecided() async throws {
    let (database, service) = try open()
    defer { database.close() }
    let seen = Mutex<UInt64>(0)
    await #expect(throws: Refused.self) {
      try await database.write { transaction in
        try service.willChangeRow(in: transaction)
        seen.withLock { $0 = service.layoutNumber }
        throw Refused()
      }
    }
    #expect(seen.withLock { $0 } == 1)
    #expect(service.layoutNumber == 0 && service.layout == nil && service.identity == nil)
    try await database.write { try service.willChangeRow(in: $0) }
    #expect(service.layoutNumber == 1 && service.layout != nil)
  }

  @Test func whatTheDiskDidNotTakeWasNotDecided() async throws {
    let (database, service) = try open()
    _ = try await service.invite(expiresIn: .seconds(60), uses: 1, zone: nil)
    try await stage(service, zone: "cellar")
    database.close()
    await #expect(throws: (any Error).self) { try await service.applyLayout(number: 1) }
    await #expect(throws: (any Error).self) {
      try await database.write { try service.willChangeRow(in: $0) }
    }
    #expect(service.layout == nil && service.layoutNumber == 0)
  }

  @Test func othersNeedTheVariable() async throws {
    let other = Person("B").id
    var (database, service) = try open()
    await #expect(throws: ClusterRefusal.self) {
      try await service.stageLayout {
        try $0.assign(NodeRole(zone: "z", capacityBytes: 9), to: other)
      }
    }
    #expect(try service.stagedLayout().isEmpty)
    database.close()
    (database, service) = try open(allowsOtherHolders: true)
    try await service.stageLayout {
      try $0.assign(NodeRole(zone: "z", capacityBytes: 9), to: other)
    }
    // It is no member.
    await #expect(throws: ClusterRefusal.self) { try await service.applyLayout(number: nil) }
    database.close()
    // Staged while it was allowed.
    (database, service) = try open()
    defer { database.close() }
    await #expect(throws: ClusterRefusal.self) { try await service.applyLayout(number: nil) }
    #expect(service.layout == nil)
  }
}

/// Holds the writer of a database until others wait behind it, so that they are one commit.
private final class Gate: Sendable {
  private let isOpen = Mutex(false)
  private let isHeld = Mutex(false)

  func hold(_ database: LocalDatabase) async throws {
    let tree = try database.tree("others")
    try await database.write { [self] transaction in
      isHeld.withLock { $0 = true }
      while !isOpen.withLock({ $0 }) { usleep(1000) }
      try transaction.put(tree, [0], [0])
    }
  }

  func waitUntilHeld() async {
    while !isHeld.withLock({ $0 }) { try? await Task.sleep(for: .milliseconds(1)) }
  }

  func open() { isOpen.withLock { $0 = true } }
}
