// The program's version, by which releases, metrics and nodes tell each other apart.

/// The version of this program.
package enum GrangeVersion {
  /// As in CHANGELOG.md (https://semver.org).
  package static let text = "0.1.0"
}
