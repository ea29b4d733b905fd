// DeleteObject and DeleteObjects.

import APICommon
import Codecs
import HTTP
import Model

/// Deletions of objects.
enum DeleteEndpoints {
  /// Answers `DELETE /bucket/key`.
  static func deleteObject(_ request: S3Request) async throws {
    let bucket = try await request.bucket(anyOf: .write)
    _ = try await request.store.objects.delete(bucket: bucket, key: request.key())
    try await request.exchange.respond(204)
  }

  /// What became of one key.
  private enum Outcome {
    case deleted
    case failed(S3Error)
  }

  /// Answers `POST /bucket?delete`.
  static func deleteObjects(_ request: S3Request) async throws {
    let bucket = try await request.bucket(anyOf: .write)
    let deletion = try await request.document(root: "Delete") { try DeletionDocument($0) }
    guard let deletion else { throw S3Error(.malformedXML) }
    let outcomes = await delete(deletion.objects, in: bucket, request.store)
    try await request.respond(xml: "DeleteResult") { xml in
      for (object, outcome) in zip(deletion.objects, outcomes) {
        write(outcome, of: object, isQuiet: deletion.isQuiet, to: &xml)
      }
    }
  }

  /// Deletes what can be deleted; the outcome of each object is at its index.
  private static func delete(
    _ objects: [DeletionDocument.Object], in bucket: Bucket, _ store: Store
  ) async -> [Outcome] {
    var outcomes = [Outcome](repeating: .deleted, count: objects.count)
    var keys: [ObjectKey] = []
    var indices: [Int] = []
    for (index, object) in objects.enumerated() {
      switch object.key {
      case .success(let key):
        keys.append(key)
        indices.append(index)
      case .failure(let error): outcomes[index] = .failed(error)
      }
    }
    let results = await store.objects.delete(bucket: bucket, keys: keys)
    for (index, result) in zip(indices, results) {
      if case .failure(let error) = result { outcomes[index] = .failed(S3Error(answering: error)) }
    }
    return outcomes
  }

  private static func write(
    _ outcome: Outcome, of object: DeletionDocument.Object, isQuiet: Bool, to xml: inout XMLWriter
  ) {
    switch outcome {
    case .deleted:
      guard !isQuiet else { return }
      xml.element("Deleted") { xml in xml.element("Key", object.text) }
    case .failed(let error):
      xml.element("Error") { xml in
        xml.element("Key", object.text)
        xml.element("Code", error.code.rawValue)
        xml.element("Message", error.message)
      }
    }
  }
}
