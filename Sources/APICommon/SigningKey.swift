// Keys of AWS Signature Version 4.
//
// A secret never signs anything itself: a chain of four HMACs makes a key of it that is good for one day, one
// region and one service. The chain costs as much as the rest of a verification, and a client sends many
// requests a day, so its end is kept.

import Base
package import Crypto
import Synchronization

/// What a signature is good for, and whose it is: `<access key>/<day>/<region>/<service>/aws4_request`.
///
/// A class, as every part of a request that has to do with its signature holds it.
package final class CredentialScope: Equatable, Sendable {
  package let accessKeyID: String
  /// `20261121`.
  package let day: String
  package let region: String
  package let service: String

  package init(accessKeyID: String, day: String, region: String, service: String) {
    self.accessKeyID = accessKeyID
    self.day = day
    self.region = region
    self.service = service
  }

  /// Reads the credential of a request; `nil` when it has another form.
  convenience init?(credential: UnsafeRawBufferPointer) {
    var texts: [String] = []
    texts.reserveCapacity(5)
    credential.forEachPart(between: UInt8(ascii: "/")) { part in
      if texts.count <= 5 { texts.append(part.text) }
    }
    guard texts.count == 5, texts[4] == "aws4_request", !texts[0].isEmpty,
      texts[1].utf8.count == 8
    else { return nil }
    self.init(accessKeyID: texts[0], day: texts[1], region: texts[2], service: texts[3])
  }

  /// The part that is signed: all but the access key.
  package var signedPart: String { "\(day)/\(region)/\(service)/aws4_request" }

  package static func == (left: CredentialScope, right: CredentialScope) -> Bool {
    left.accessKeyID == right.accessKeyID && left.day == right.day && left.region == right.region
      && left.service == right.service
  }

  /// Adds the signed part to `text`.
  func appendSignedPart(to text: inout [UInt8]) {
    for part in [day, region, service] {
      text += part.utf8
      text.append(UInt8(ascii: "/"))
    }
    text += "aws4_request".utf8
  }

  /// The scope with its access key, as requests carry it.
  package var credential: String { "\(accessKeyID)/\(signedPart)" }

  /// The key that signs in this scope.
  package func signingKey(secret: String) -> HMACKey {
    let day = HMAC.sha256(key: Array("AWS4\(secret)".utf8), Array(day.utf8))
    let region = HMAC.sha256(key: day, Array(region.utf8))
    let service = HMAC.sha256(key: region, Array(service.utf8))
    return HMACKey(HMAC.sha256(key: service, Array("aws4_request".utf8)))
  }
}

/// Signing keys of the scopes in use.
package final class SigningKeyCache: Sendable {
  private struct Entry {
    let scope: CredentialScope
    /// An access key may be deleted and imported again with another secret.
    let secret: String
    let key: HMACKey
  }

  /// More clients than a home cluster has; beyond it the cache starts over, which costs five microseconds
  /// a client.
  private static let countMax = 1024

  /// By access key: the other parts of a scope change once a day.
  private let entries = Mutex<[String: Entry]>([:])

  package init() {}

  /// The key that signs in `scope`.
  ///
  /// Only scopes of known access keys may be asked for.
  package func key(_ scope: CredentialScope, secret: String) -> HMACKey {
    let kept = entries.withLock { $0[scope.accessKeyID] }
    if let kept, kept.scope == scope, kept.secret == secret { return kept.key }
    let key = scope.signingKey(secret: secret)
    entries.withLock { entries in
      if entries.count >= Self.countMax { entries.removeAll(keepingCapacity: true) }
      entries[scope.accessKeyID] = Entry(scope: scope, secret: secret, key: key)
    }
    return key
  }
}
