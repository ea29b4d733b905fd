// Refusals of the admin interface: a status, a code for programs, a sentence for people.

import Base
import Codecs
import Model

/// Why a request was not done.
package struct AdminError: Error, Equatable, Sendable {
  package var status: Int
  /// The word that programs react to, as Garage words it.
  package var code: String
  /// What happened and what to do.
  package var message: String

  package init(_ status: Int, _ code: String, _ message: String) {
    self.status = status
    self.code = code
    self.message = message
  }

  /// A request that has no meaning.
  static func invalid(_ message: String) -> AdminError {
    AdminError(400, "InvalidRequest", message)
  }

  static let forbidden = AdminError(
    403, "AccessDenied", "this needs the admin token, as Authorization: Bearer <token>")

  /// The document that the client gets.
  var json: JSON { ["code": .string(code), "message": .string(message)] }

  /// The refusal that stands for `error`.
  package init(_ error: any Error) {
    switch error {
    case let error as AdminError: self = error
    case let error as ModelError: self.init(model: error)
    default: self.init(500, "InternalError", "\(error)")
    }
  }

  private init(model: ModelError) {
    switch model {
    case .noSuchBucket: self.init(404, "NoSuchBucket", "there is no such bucket")
    case .noSuchAccessKey: self.init(404, "NoSuchAccessKey", "there is no such access key")
    case .bucketAlreadyExists, .bucketAlreadyOwnedByYou:
      self.init(409, "BucketAlreadyExists", "the name is taken by another bucket")
    case .accessKeyAlreadyExists:
      self.init(409, "KeyAlreadyExists", "an access key with this ID exists or existed")
    case .bucketNotEmpty:
      self.init(409, "BucketNotEmpty", "the bucket holds objects; delete them first")
    case .bucketBusy:
      self.init(409, "BucketBusy", "the bucket is being changed; try again in a moment")
    case .invalidBucketName(let reason):
      self.init(400, "InvalidBucketName", "this is no name for a bucket: \(reason)")
    case .invalidAccessKey(let reason):
      self.init(400, "InvalidAccessKey", "this is no access key: \(reason)")
    case .lastAlias:
      self.init(
        400, "InvalidRequest", "this is the bucket's only name; give it another, or delete it")
    case .storageFull(let reason): self.init(507, "StorageFull", reason)
    case .storageFailed(let reason): self.init(503, "StorageFailed", reason)
    case .quorumUnavailable(let reason), .mayExist(let reason):
      self.init(503, "ServiceUnavailable", reason)
    case .clockTooFar:
      self.init(503, "ClockTooFar", "clocks of nodes differ by more than 15 minutes; set them")
    case .corrupt(let reason): self.init(500, "InternalError", reason)
    default: self.init(500, "InternalError", "\(model)")
    }
  }
}
