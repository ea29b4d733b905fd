// The layout: what is decided, what is staged on this node, and its next version. The operations are Garage's.

import Base
import Codecs
import Layout

extension AdminEndpoints {
  func clusterLayout(_ request: AdminRequest) async throws -> JSON {
    LayoutDocument(try cluster.layoutOverview()).json
  }

  func clusterLayoutHistory(_ request: AdminRequest) async throws -> JSON {
    let overview = try cluster.layoutOverview()
    let current = overview.current?.number ?? 0
    return [
      "currentVersion": .count(current),
      "versions": .array(
        overview.versions.map { version in
          [
            "version": .count(version.number),
            "status": .string(version.number == current ? "Current" : "Historical"),
            "storageNodes": .count(UInt64(version.storageNodes.count)),
            "gatewayNodes": .count(UInt64(version.gateways.count)),
            "copies": .count(UInt64(version.holders(of: 0).count)),
            "hash": .string(version.hash.hex),
          ]
        }),
    ]
  }

  func updateClusterLayout(_ request: AdminRequest) async throws -> JSON {
    var wish = LayoutWish()
    if let roles = request.body["roles"], !roles.isNull {
      guard let roles = roles.array else { throw AdminError.invalid("roles is no list") }
      for role in roles { wish.roles.append(try LayoutWish.Role(role)) }
    }
    if let parameters = request.body["parameters"], !parameters.isNull {
      try wish.takeParameters(parameters)
    }
    guard !wish.roles.isEmpty || wish.changesParameters else {
      throw AdminError.invalid("nothing is to be changed: give roles or parameters")
    }
    try await cluster.stage(wish)
    return LayoutDocument(try cluster.layoutOverview()).json
  }

  func previewClusterLayoutChanges(_ request: AdminRequest) async throws -> JSON {
    do {
      let version = try cluster.previewLayout()
      let overview = try cluster.layoutOverview()
      return [
        "message": .array(LayoutDocument.message(of: version).map { .string($0) }),
        "newLayout": LayoutDocument.document(version, overview.members),
      ]
    } catch let error as AdminError {
      return ["error": .string(error.message)]
    }
  }

  func applyClusterLayout(_ request: AdminRequest) async throws -> JSON {
    let version = try await cluster.applyLayout(number: try request.body.count("version"))
    return [
      "message": .array(LayoutDocument.message(of: version).map { .string($0) }),
      "layout": LayoutDocument(try cluster.layoutOverview()).json,
    ]
  }

  func revertClusterLayout(_ request: AdminRequest) async throws -> JSON {
    try await cluster.revertLayout()
    return LayoutDocument(try cluster.layoutOverview()).json
  }
}

extension LayoutWish.Role {
  /// Reads one element of `roles`: `capacity: null` makes a gateway, as in Garage; what is absent stays.
  fileprivate init(_ json: JSON) throws(AdminError) {
    self.init(node: try json.requiredText("id"))
    isRemoval = try json.flag("remove")
    zone = try json.text("zone")
    let isGateway = try json.flag("gateway")
    if isGateway || json["capacity"]?.isNull == true {
      capacity = .gateway
    }
    if let bytes = try json.count("capacity") {
      guard !isGateway else { throw .invalid("a gateway has no capacity") }
      capacity = .bytes(bytes)
    }
    if let given = json["tags"], !given.isNull {
      let texts = given.array?.compactMap(\.string)
      guard let texts, texts.count == given.array?.count else {
        throw .invalid("tags is no list of strings")
      }
      tags = texts
    }
  }
}

extension LayoutWish {
  /// Reads `parameters`: `zoneRedundancy` is `"maximum"` or `{"atLeast": n}`, as in Garage.
  fileprivate mutating func takeParameters(_ json: JSON) throws(AdminError) {
    if let copies = try json.count("replicationFactor") {
      replicationFactor = Int(clamping: copies)
    }
    if let redundancy = json["zoneRedundancy"], !redundancy.isNull {
      if redundancy.string == "maximum" {
        zoneRedundancy = .maximum
      } else if let zones = try redundancy.count("atLeast") {
        zoneRedundancy = .atLeast(Int(clamping: zones))
      } else {
        throw .invalid("zoneRedundancy is neither \"maximum\" nor {\"atLeast\": number}")
      }
    }
    guard let word = try json.text("consistency") else { return }
    do throws(LayoutRefusal) {
      consistency = try ConsistencyMode(word: word)
    } catch {
      throw .invalid(error.description)
    }
  }
}
