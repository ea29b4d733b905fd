// What is wrong with a configuration, in words for who wrote it.

/// One thing that is wrong.
struct ConfigurationProblem: Error, Equatable {
  let text: String

  init(_ text: String) { self.text = text }
}

/// All that is wrong with a configuration.
package struct ConfigurationError: Error, Equatable, CustomStringConvertible {
  /// One line each, never empty.
  package let problems: [String]

  init(_ problems: [String]) { self.problems = problems }

  package var description: String { problems.joined(separator: "\n") }
}
