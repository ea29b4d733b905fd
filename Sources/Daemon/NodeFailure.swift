// Why a node does not start.

/// Why the node does not start: one line that says what to do.
package struct NodeFailure: Error, Equatable, CustomStringConvertible, Sendable {
  package let description: String

  package init(_ description: String) { self.description = description }
}
