// One authenticated request, with what every operation needs.

import APICommon
import Base
import Codecs
import HTTP
import Model

/// An authenticated request.
///
/// It belongs to the task that handles it.
final class S3Request {
  let exchange: HTTPExchange
  /// The headers, with those in the query of a presigned URL.
  let headers: HTTPHeaders
  let target: RequestTarget
  let address: RequestAddress
  let caller: Caller
  let store: Store
  let runtime: any Runtime
  /// The region of the cluster.
  let region: String
  /// The body, when it had to be read before the signature could be checked.
  let collectedBody: [UInt8]?
  let documents: DocumentParser

  init(
    exchange: HTTPExchange, headers: HTTPHeaders, target: RequestTarget, address: RequestAddress,
    caller: Caller, store: Store, runtime: any Runtime, region: String, collectedBody: [UInt8]?,
    documents: DocumentParser
  ) {
    self.exchange = exchange
    self.headers = headers
    self.target = target
    self.address = address
    self.caller = caller
    self.store = store
    self.runtime = runtime
    self.region = region
    self.collectedBody = collectedBody
    self.documents = documents
  }

  /// The namespace of S3's documents.
  static let namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

  /// The name of the bucket, as the request has it.
  var bucketName: String { address.bucket ?? "" }

  /// The bucket, in which the caller has at least one of the rights `anyOf`.
  ///
  /// - Throws: `NoSuchBucket`, `AccessDenied`.
  func bucket(anyOf permissions: Permissions) async throws -> Bucket {
    try await bucket(bucketName, anyOf: permissions, ownerHeader: "x-amz-expected-bucket-owner")
  }

  /// The bucket called `name`, as above; the header `ownerHeader` may say whose it must be.
  func bucket(
    _ name: String, anyOf permissions: Permissions, ownerHeader: String
  ) async throws -> Bucket {
    guard var bucket = try await store.buckets.resolve(name, for: caller.accessKey.id) else {
      throw S3Error(.noSuchBucket, details: [S3Error.Detail("BucketName", name)])
    }
    func mayNot() -> Bool {
      bucket.permissions(of: caller.accessKey.id).isDisjoint(with: permissions)
    }
    if mayNot() { bucket = try await store.buckets.current(bucket) }
    guard !mayNot() else {
      throw S3Error(.accessDenied, "The access key has no such right in this bucket.")
    }
    // What S3 calls an account is an access key here, and a bucket may have several owners.
    if let owner = headers[ownerHeader], !bucket.permissions(of: owner).contains(.owner) {
      throw S3Error(.accessDenied, "The access key in \(ownerHeader) does not own this bucket.")
    }
    return bucket
  }

  /// The key.
  ///
  /// - Throws: `KeyTooLongError`, `InvalidArgument`.
  func key() throws -> ObjectKey {
    do {
      return try ObjectKey(address.key ?? [])
    } catch {
      throw S3Error(answering: error)
    }
  }

  /// The object that the address names.
  ///
  /// - Throws: `NoSuchKey`, what `key` throws.
  func object(in bucket: Bucket) async throws -> ObjectVersion {
    try await object(key(), in: bucket)
  }

  /// The object called `key`, as above.
  func object(_ key: ObjectKey, in bucket: Bucket) async throws -> ObjectVersion {
    guard let version = try await store.objects.head(bucket: bucket, key: key) else {
      throw S3Error(.noSuchKey, details: [S3Error.Detail("Key", key.string)])
    }
    return version
  }

  /// The upload that the query names.
  ///
  /// - Throws: `NoSuchUpload` when that cannot be an upload's ID.
  func uploadID() throws(S3Error) -> UploadID {
    guard let text = try target.value("uploadId"), let id = UploadID(hex: text) else {
      throw S3Error(.noSuchUpload)
    }
    return id
  }

  /// The body without its coding.
  ///
  /// - Parameters:
  ///   - algorithm: of the checksum to compute when the client sends none.
  ///   - always: Whether to compute it also when the client sends another.
  func plainBody(
    computing algorithm: ChecksumAlgorithm? = nil, always: Bool = false
  ) throws(S3Error) -> PlainBody {
    try plainBody(headers, computing: algorithm, always: always)
  }

  /// The body without its coding, compared with what `headers` claim.
  func plainBody(
    _ headers: HTTPHeaders, computing algorithm: ChecksumAlgorithm? = nil, always: Bool = false
  ) throws(S3Error) -> PlainBody {
    let body = exchange.body
    let claims = try BodyClaims(
      headers, contentLength: body.contentLength, signature: caller.signature)
    guard let collectedBody else {
      return PlainBody(claims, computing: algorithm, always: always) { buffer in
        try await body.read(into: buffer)
      }
    }
    var rest = collectedBody[...]
    return PlainBody(claims, computing: algorithm, always: always) { buffer in
      let piece = rest.prefix(buffer.count)
      buffer.copyBytes(from: piece)
      rest = rest.dropFirst(piece.count)
      return piece.count
    }
  }

  /// Makes sure that the client says how long the body is, or that it comes in chunks.
  ///
  /// Without either the body is empty (RFC 9112, section 6.3), which who uploads hardly means.
  /// - Throws: `MissingContentLength`.
  func requireFraming() throws(S3Error) {
    guard headers.contains("content-length") || headers.contains("transfer-encoding") else {
      throw S3Error(.missingContentLength)
    }
  }

  /// What `read` makes of the XML document in the body, whose root must be called `root`; `nil` when the body is empty.
  ///
  /// - Throws: `MalformedXML`, `MaxMessageLengthExceeded`, what `PlainBody.finish` and `read` throw.
  func document<Value: Sendable>(
    root: String, _ read: @escaping @Sendable (XMLElement) throws -> Value
  ) async throws -> Value? {
    try await document(plainBody(), root: root, read)
  }

  /// What `read` makes of the XML document in `body`, as above.
  func document<Value: Sendable>(
    _ body: PlainBody, root: String, _ read: @escaping @Sendable (XMLElement) throws -> Value
  ) async throws -> Value? {
    defer { exchange.body.keptBytes = 0 }
    let bytes = try await body.collect(
      maxBytes: RequestDocument.bytesMax, tooLarge: RequestDocument.tooLarge
    ) { exchange.body.keptBytes = $0 }
    return try await documents.parse(bytes, root: root, on: runtime, read)
  }

  /// Responds with an XML document whose root element is `root`.
  func respond(
    xml root: StaticString, headers: HTTPHeaders = HTTPHeaders(),
    _ content: (inout XMLWriter) -> Void
  ) async throws {
    var writer = XMLWriter()
    writer.element(root, ["xmlns": Self.namespace], content)
    var headers = headers
    headers.append("content-type", "application/xml")
    try await exchange.respond(200, headers: headers, body: writer.bytes)
  }

  /// Writes the caller as the owner of something: who owns what is a matter of buckets, not of objects.
  func writeOwner(_ name: StaticString, to xml: inout XMLWriter) {
    xml.element(name) { xml in writeCaller(to: &xml) }
  }

  /// Writes what S3 calls a user: an access key, by its ID and name.
  func writeCaller(to xml: inout XMLWriter) {
    xml.element("ID", caller.accessKey.id)
    xml.element("DisplayName", caller.accessKey.name)
  }
}
