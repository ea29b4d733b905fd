// The operations of the admin interface, by the names that Garage's admin API (version 2) gives them, and those
// that it does not have. Requests and answers are JSON documents; the shapes are Garage's where the operation
// is.

package import Base
package import Codecs
package import Model

/// Does what requests ask for; `AdminHandler` speaks HTTP.
package struct AdminEndpoints: Sendable {
  let store: Store
  let node: any AdminNode
  let cluster: any AdminCluster
  let wallNow: @Sendable () -> WallTime

  package init(
    store: Store, node: any AdminNode, cluster: any AdminCluster,
    wallNow: @escaping @Sendable () -> WallTime
  ) {
    self.store = store
    self.node = node
    self.cluster = cluster
    self.wallNow = wallNow
  }

  typealias Operation = @Sendable (AdminEndpoints, AdminRequest) async throws -> JSON

  /// Operations that change nothing: GET.
  static let reading: [String: Operation] = [
    "GetClusterStatus": { try await $0.clusterStatus($1) },
    "GetClusterHealth": { try await $0.clusterHealth($1) },
    "GetClusterLayout": { try await $0.clusterLayout($1) },
    "GetClusterLayoutHistory": { try await $0.clusterLayoutHistory($1) },
    "ListBuckets": { try await $0.listBuckets($1) },
    "GetBucketInfo": { try await $0.bucketInfo($1) },
    "ListKeys": { try await $0.listKeys($1) },
    "GetKeyInfo": { try await $0.keyInfo($1) },
    "CheckBlocks": { try await $0.checkBlocks($1) },
    "GetNodeInfo": { try await $0.nodeInfo($1) },
    "ListInvites": { try await $0.listInvites($1) },
  ]

  /// Operations that change something: POST.
  static let writing: [String: Operation] = [
    "CreateBucket": { try await $0.createBucket($1) },
    "UpdateBucket": { try await $0.updateBucket($1) },
    "DeleteBucket": { try await $0.deleteBucket($1) },
    "AllowBucketKey": { try await $0.allowBucketKey($1) },
    "DenyBucketKey": { try await $0.denyBucketKey($1) },
    "AddBucketAlias": { try await $0.addBucketAlias($1) },
    "RemoveBucketAlias": { try await $0.removeBucketAlias($1) },
    "CreateKey": { try await $0.createKey($1) },
    "ImportKey": { try await $0.importKey($1) },
    "UpdateKey": { try await $0.updateKey($1) },
    "DeleteKey": { try await $0.deleteKey($1) },
    "UpdateClusterLayout": { try await $0.updateClusterLayout($1) },
    "PreviewClusterLayoutChanges": { try await $0.previewClusterLayoutChanges($1) },
    "ApplyClusterLayout": { try await $0.applyClusterLayout($1) },
    "RevertClusterLayout": { try await $0.revertClusterLayout($1) },
    "ConnectClusterNodes": { try await $0.connectClusterNodes($1) },
    "CreateInvite": { try await $0.createInvite($1) },
    "RevokeInvite": { try await $0.revokeInvite($1) },
    "JoinCluster": { try await $0.joinCluster($1) },
    "LeaveCluster": { try await $0.leaveCluster($1) },
    "RemoveNode": { try await $0.removeNode($1) },
  ]

  /// Whether the operation called `name` is about buckets or access keys.
  private static func needsStore(_ name: String) -> Bool {
    name.contains("Bucket") || name.hasSuffix("Key") || name.hasSuffix("Keys")
      || name.hasSuffix("KeyInfo")
  }

  /// Does what `request` asks for with `method`.
  package func perform(method: String, _ request: AdminRequest) async throws(AdminError) -> JSON {
    let (table, other) =
      method == "GET" ? (Self.reading, Self.writing) : (Self.writing, Self.reading)
    guard method == "GET" || method == "POST" else {
      throw AdminError(405, "MethodNotAllowed", "\(request.name) is asked for by GET or POST")
    }
    guard let operation = table[request.name] else {
      if other[request.name] != nil {
        let right = method == "GET" ? "POST" : "GET"
        throw AdminError(405, "MethodNotAllowed", "\(request.name) is asked for by \(right)")
      }
      throw AdminError(501, "NotImplemented", "this version does not have \(request.name)")
    }
    if Self.needsStore(request.name), let reason = cluster.whyNothingIsStored {
      throw AdminError(503, "ServiceUnavailable", reason)
    }
    do {
      return try await operation(self, request)
    } catch {
      throw AdminError(error)
    }
  }
}
