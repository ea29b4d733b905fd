// The token that a node was given by its environment: GRANGE_JOIN, or GRANGE_JOIN_FILE.

/// Reads the variables.
package enum JoinTokenSource {
  /// The token; `nil` when none was given.
  ///
  /// - Throws: `NodeFailure` when both are set, or the file cannot be read.
  package static func read(_ environment: [String: String]) throws(NodeFailure) -> String? {
    func variable(_ name: String) -> String? {
      environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }
    let token = variable("GRANGE_JOIN")
    guard let path = variable("GRANGE_JOIN_FILE") else { return token }
    guard token == nil else { throw NodeFailure("GRANGE_JOIN and GRANGE_JOIN_FILE are both set") }
    do throws(ConfigurationProblem) {
      return try SecretFile.read(path, environment)
    } catch {
      throw NodeFailure("GRANGE_JOIN_FILE: \(error.text)")
    }
  }
}
