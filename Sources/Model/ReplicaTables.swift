// The tables whose replicas do more than merge rows, and what they do for other nodes.

package import Tables

/// This node's rows of buckets and objects.
package struct ReplicaTables: Sendable {
  package let buckets: LocalTable<BucketSchema>
  package let objects: LocalTable<ObjectSchema>
  let guards: ObjectGuards

  /// Opens the tables and makes their operations known.
  ///
  /// Blocks the thread; for start-up.
  ///
  /// - Throws: `LocalDBError`; `TableError` when what lies beside the rows is damaged.
  package init(_ replica: LocalTableReplica, _ journal: ObjectJournal) throws {
    buckets = try replica.register(BucketSchema(journal: journal))
    objects = try replica.register(ObjectSchema(journal: journal))
    guards = ObjectGuards(buckets: buckets, journal: journal)
    for operation in objectOperations { objects.register(operation) }
  }

  /// The operations on rows of objects.
  package var objectOperations: [any TableOperation<ObjectSchema>] {
    [
      PutVersion(guards: guards), PutPart(guards: guards), OpenUpload(guards: guards),
      EndUpload(guards: guards), DropParts(guards: guards), CheckQuota(guards: guards),
      CountUsage(guards: guards),
    ]
  }
}
