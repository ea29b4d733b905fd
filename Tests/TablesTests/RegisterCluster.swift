import Base
import LocalDB
import SimulatedCluster
import SimulatedWorld
import Tables

/// A node with a table of registers.
struct RegisterNode: Sendable {
  let id: NodeID
  let database: LocalDatabase
  let replica: LocalTableReplica
  let link: DistantReplica
  let schema: RegisterSchema
  let local: LocalTable<RegisterSchema>
  let table: Table<RegisterSchema>
  let coordinator: TableCoordinator
}

typealias RegisterCluster = ReplicaCluster<RegisterNode>

extension RegisterCluster {
  /// - Parameter skews: One for each node, in milliseconds.
  convenience init(
    _ runtime: SimulatedRuntime, skews: [Int64] = [0, 0, 0], writeQuorum: Int = 2,
    readQuorum: Int = 2, isFullyReplicated: Bool = false,
    delay: ClosedRange<Duration> = .milliseconds(1) ... .milliseconds(40),
    commitDelay: ClosedRange<Duration> = .zero ... .milliseconds(10)
  ) throws {
    try self.init(
      runtime, skews: skews, writeQuorum: writeQuorum, readQuorum: readQuorum, delay: delay,
      commitDelay: commitDelay
    ) { replica in
      var schema = try RegisterSchema(replica.database)
      schema.isFullyReplicated = isFullyReplicated
      let local = try replica.register(schema)
      local.register(SetRegister(schema: schema))
      local.register(ChangeAndRefuse())
      return (schema, local)
    } make: { parts, prepared in
      let coordinator = TableCoordinator(
        placement: parts.placement, clock: parts.clock, runtime: parts.host)
      return RegisterNode(
        id: parts.id, database: parts.database, replica: parts.replica, link: parts.link,
        schema: prepared.0, local: prepared.1,
        table: Table(local: prepared.1, coordinator: coordinator), coordinator: coordinator)
    }
  }
}
