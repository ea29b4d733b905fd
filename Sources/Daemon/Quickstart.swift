// The first access key and the first bucket.
//
// On the first start with --quickstart, or with a GRANGE_DEFAULT_ variable, one key and one bucket are made, and
// how to use them is printed. It is the first start while there is no key but this one and no bucket: so
// an interrupted first start is completed by the second. A generated secret is printed once, and on a
// terminal only: what is printed elsewhere is kept in logs.

private import Glibc
package import Model

/// What is asked for.
package struct Quickstart: Sendable, Equatable {
  /// The key to use; `nil` to make one.
  package var accessKey: GivenKey?
  package var bucket: String

  /// A key that exists elsewhere.
  package struct GivenKey: Sendable, Equatable {
    package var id: String
    package var secret: String
  }

  private static let keyName = "quickstart"
  private static let defaultBucket = "first"

  /// Reads the variables; `nil` when nothing is asked for.
  ///
  /// - Throws: `NodeFailure` when one of them makes no sense alone.
  package init?(isAskedFor: Bool, environment: [String: String]) throws(NodeFailure) {
    func variable(_ name: String) -> String? {
      environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }
    let id = variable("GRANGE_DEFAULT_ACCESS_KEY")
    var secret = variable("GRANGE_DEFAULT_SECRET_KEY")
    if let path = variable("GRANGE_DEFAULT_SECRET_KEY_FILE") {
      guard secret == nil else {
        throw NodeFailure(
          "GRANGE_DEFAULT_SECRET_KEY and GRANGE_DEFAULT_SECRET_KEY_FILE are both set")
      }
      do throws(ConfigurationProblem) {
        secret = try SecretFile.read(path, environment)
      } catch {
        throw NodeFailure("GRANGE_DEFAULT_SECRET_KEY_FILE: \(error.text)")
      }
    }
    let bucket = variable("GRANGE_DEFAULT_BUCKET")
    guard isAskedFor || id != nil || secret != nil || bucket != nil else { return nil }
    switch (id, secret) {
    case (let id?, let secret?): accessKey = GivenKey(id: id, secret: secret)
    case (nil, nil): accessKey = nil
    default:
      throw NodeFailure("GRANGE_DEFAULT_ACCESS_KEY and GRANGE_DEFAULT_SECRET_KEY go together")
    }
    self.bucket = bucket ?? Self.defaultBucket
  }

  /// What there is to use.
  package struct Outcome: Sendable {
    package var accessKey: AccessKey
    package var bucket: String
    /// Whether the secret was made just now, and nobody knows it.
    package var hasNewSecret: Bool

    package init(accessKey: AccessKey, bucket: String, hasNewSecret: Bool) {
      self.accessKey = accessKey
      self.bucket = bucket
      self.hasNewSecret = hasNewSecret
    }
  }

  /// Makes what is missing on a first start.
  ///
  /// - Returns: `nil` when this is no first start and the key that it would have made is gone.
  func apply(to store: Store) async throws -> Outcome? {
    let keys = try await store.accessKeys.list()
    let known = keys.first { accessKey?.id == $0.id || $0.name == Self.keyName }
    let hasBuckets = try await !store.buckets.list().isEmpty
    guard !hasBuckets, keys.isEmpty || (keys.count == 1 && known != nil) else {
      return known.map { Outcome(accessKey: $0, bucket: bucket, hasNewSecret: false) }
    }
    var key = known
    var hasNewSecret = false
    if key == nil {
      if let accessKey {
        key = try await store.accessKeys.importKey(
          id: accessKey.id, secret: accessKey.secret, name: Self.keyName)
      } else {
        key = try await store.accessKeys.create(name: Self.keyName)
        hasNewSecret = true
      }
    }
    guard let key else { return nil }
    let allowed = try await store.accessKeys.update(key.id, mayCreateBuckets: true)
    _ = try await store.buckets.create(bucket, owner: key.id)
    return Outcome(accessKey: allowed, bucket: bucket, hasNewSecret: hasNewSecret)
  }
}

extension Quickstart.Outcome {
  /// How to use it, for a person at a terminal.
  ///
  /// The secret is in it only when it was made just now, and on a terminal.
  package func text(
    endpoint: String, region: String, instructions: CommandInstructions, isTerminal: Bool
  ) -> String {
    let show = instructions.line("key info \(accessKey.id) --show-secret")
    let isShown = hasNewSecret && isTerminal
    let secret = isShown ? accessKey.secret : "shown by: \(show)"
    let note = isShown ? "\n\nThe secret is printed this once; later: \(show)" : ""
    return """

      Grange is ready.

        Endpoint    \(endpoint)
        Region      \(region)
        Access key  \(accessKey.id)
        Secret key  \(secret)
        Bucket      \(bucket)

      To try it, copy these into another terminal:

        export AWS_ENDPOINT_URL=\(endpoint) AWS_DEFAULT_REGION=\(region) AWS_ACCESS_KEY_ID=\(accessKey.id) \
      AWS_SECRET_ACCESS_KEY=\(isShown ? accessKey.secret : "THE_SECRET_KEY")
        aws s3 cp /etc/hostname s3://\(bucket)/
        aws s3 ls s3://\(bucket)/\(note)

      """
  }
}
