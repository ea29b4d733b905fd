// Access keys: who a client is.

package import Base

/// A pair of an identifier, sent with each request, and a secret that signs it.
package struct AccessKey: Equatable, Sendable {
  /// `GK` and 24 hex digits when Grange made it; 16 to 128 characters without `/` when imported.
  package var id: String
  /// 64 hex digits when Grange made it.
  ///
  /// Never logged.
  package var secret: String
  /// A name for people; need not be unique.
  package var name: String
  package var created: WallTime
  /// When the key stops working; `nil` for never.
  package var expiration: WallTime?
  package var mayCreateBuckets: Bool

  package init(
    id: String, secret: String, name: String, created: WallTime, expiration: WallTime? = nil,
    mayCreateBuckets: Bool = false
  ) {
    self.id = id
    self.secret = secret
    self.name = name
    self.created = created
    self.expiration = expiration
    self.mayCreateBuckets = mayCreateBuckets
  }

  /// Whether the key no longer works at `time`.
  package func isExpired(at time: WallTime) -> Bool {
    guard let expiration else { return false }
    return time >= expiration
  }
}
