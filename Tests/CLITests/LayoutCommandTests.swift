import Base
import Codecs
import Testing

/// `grange layout ...` against a node in this process.
@Suite(.serialized) struct LayoutCommandTests {
  private func json(_ ran: Ran) throws -> JSON {
    #expect(ran.code == 0, "\(ran.errors)")
    return try JSON.parse(ran.output)
  }

  /// A node that is asked before it has stored anything.
  private func fresh(_ environment: [String: String] = [:]) async throws -> LiveNode {
    var variables = environment
    variables["GRANGE_NODE_NAME"] = "alone"
    variables["GRANGE_ZONE"] = "attic"
    variables["GRANGE_CAPACITY"] = "5G"
    return try await LiveNode.start(environment: variables, isQuickstart: false)
  }

  @Test func theFirstKeyMakesALayout() async throws {
    let node = try await fresh(["GRANGE_REPLICATION": "2"])
    let before = try json(node.command("layout", "show", "--json"))
    #expect(before["version"] == 0 && before["roles"] == .array([]))
    #expect(before["parameters"]?["replicationFactor"] == 2)
    #expect(node.command("layout", "show").output.contains("There is no layout yet"))
    #expect(node.command("layout", "history").output.contains("There is no layout yet"))
    let status = try json(node.command("status", "--json"))
    #expect(status["layout"]?.isNull == true && status["layoutVersion"] == 0)

    #expect(node.command("key", "create", "k").code == 0)
    let after = try json(node.command("layout", "show", "--json"))
    #expect(after["version"] == 1 && after["roles"]?.array?.count == 1)
    let role = after["roles"]?[0]
    #expect(role?["id"] == status["nodes"]?[0]?["id"])
    #expect(role?["zone"] == "attic" && role?["capacity"] == .integer(5 << 30))
    #expect(role?["tags"] == .array([]) && role?["gateway"] == false)
    #expect(role?["usableCapacity"] == .integer(5 << 30) && role?["storedPartitions"] == 256)
    #expect(
      after["parameters"]
        == ["replicationFactor": 2, "zoneRedundancy": "maximum", "consistency": "consistent"])
    #expect(
      try json(node.command("status", "--json"))["layout"]
        == ["version": 1, "step": "settled", "waitingFor": .array([])])
    #expect(node.command("layout", "history").output.contains("1        current  1"))
    let text = node.command("layout", "show").output
    #expect(text.contains("Layout version 1") && text.contains("2 copies, zone redundancy maximum"))
    #expect(text.hasSuffix("Nothing is staged on this node."), "\(text)")
    await node.stop()
  }

  @Test func rolesAndParametersAreStagedAndApplied() async throws {
    let node = try await fresh()
    let id = try #require(
      try json(node.command("status", "--json"))["nodes"]?[0]?["id"]?.string)
    // Garage's letters; what is not said is what the node offers.
    let staged = try json(node.command("layout", "assign", "alone", "-t", "b,a", "--json"))
    #expect(
      staged["stagedRoleChanges"]?[0]?["zone"] == "attic"
        && staged["stagedRoleChanges"]?[0]?["capacity"] == .integer(5 << 30)
        && staged["stagedRoleChanges"]?[0]?["tags"] == ["a", "b"])
    // What was staged before stays.
    let again = try json(
      node.command("layout", "assign", "\(id.prefix(8))", "-z", "cellar", "-c", "1G", "--json"))
    #expect(again["stagedRoleChanges"]?.array?.count == 1)
    #expect(
      again["stagedRoleChanges"]?[0]?["zone"] == "cellar"
        && again["stagedRoleChanges"]?[0]?["capacity"] == .integer(1 << 30)
        && again["stagedRoleChanges"]?[0]?["tags"] == ["a", "b"])
    let config = try json(
      node.command("layout", "config", "--replication", "2", "--redundancy", "1", "--json"))
    #expect(config["stagedParameters"]?["zoneRedundancy"] == ["atLeast": 1])
    let shown = node.command("layout", "show").output
    #expect(shown.contains("To put it in use: grange layout apply --version 1"), "\(shown)")
    #expect(
      node.command("layout", "apply", "--version", "3").errors
        == "version 3 is not the next one: that is 1")
    #expect(node.command("layout", "revert", "--yes").output.contains("Nothing is staged"))
    #expect(node.command("layout", "apply").errors.contains("Nothing changed"))

    _ = node.command("layout", "assign", "alone", "-z", "cellar")
    let applied = try json(node.command("layout", "apply", "--version=1", "--json"))
    #expect(applied["version"] == 1 && applied["roles"]?[0]?["zone"] == "cellar")
    #expect(applied["stagedRoleChanges"] == .array([]))
    #expect(try json(node.command("status", "--json"))["nodes"]?[0]?["zone"] == "cellar")
    #expect(node.command("key", "create", "k").code == 0)

    let gateway = node.command("layout", "assign", "alone", "-g").output
    #expect(gateway.contains("cannot change a layout that is in use yet"), "\(gateway)")
    #expect(node.command("layout", "apply").errors.contains("in use yet"))
    await node.stop()
  }

  @Test func whatHasNoMeaningIsRefused() async throws {
    let node = try await fresh()
    #expect(node.command("layout", "assign", "nobody").errors.contains("is called alone"))
    #expect(node.command("layout", "assign", "alone", "-c", "much").code == 2)
    #expect(node.command("layout", "assign", "alone", "-c", "1G", "-g").code == 2)
    #expect(node.command("layout", "assign").code == 2)
    #expect(node.command("layout", "config").code == 2)
    #expect(node.command("layout", "config", "--redundancy", "most").code == 2)
    #expect(
      node.command("layout", "config", "--consistency", "degraded").errors.contains("consistent"))
    #expect(
      node.command("layout", "config", "--replication", "17").errors.contains("between 1 and 16"))
    #expect(
      node.command("layout", "config", "--redundancy", "4").errors.contains("between 1 and 3"))
    // The only node as a gateway: nothing would be stored.
    _ = node.command("layout", "assign", "alone", "-g")
    #expect(node.command("layout", "apply").errors.contains("No node would store anything"))
    #expect(node.command("layout", "apply", "--version").code == 2)
    #expect(node.command("--version").output.hasPrefix("grange "))
    await node.stop()
  }
}
