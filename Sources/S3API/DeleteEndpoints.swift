// DeleteObject and DeleteObjects.

import APICommon
import Codecs
import HTTP
import Model

/// Deletions of objects.
enum DeleteEndpoints {
  /// S3's limit on the keys of one request.
  private static let keysMax = 1000

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
    guard let document = try await request.document(root: "Delete") else {
      throw S3Error(.malformedXML)
    }
    let objects = document.children(named: "Object")
    guard (1...keysMax).contains(objects.count) else {
      throw S3Error(.malformedXML, "A request deletes from 1 to \(keysMax) objects.")
    }
    guard objects.allSatisfy({ $0.child("Key") != nil }) else {
      throw S3Error(.malformedXML, "Each object needs a Key.")
    }
    let isQuiet = document.trimmedText(of: "Quiet")?.lowercased() == "true"
    let outcomes = await delete(objects, in: bucket, request.store)
    try await request.respond(xml: "DeleteResult") { xml in
      for (object, outcome) in zip(objects, outcomes) {
        write(outcome, of: object, isQuiet: isQuiet, to: &xml)
      }
    }
  }

  /// Deletes what can be deleted; the outcome of each object is at its index.
  private static func delete(
    _ objects: [XMLElement], in bucket: Bucket, _ store: Store
  ) async -> [Outcome] {
    var outcomes = [Outcome](repeating: .deleted, count: objects.count)
    var keys: [ObjectKey] = []
    var indices: [Int] = []
    for (index, object) in objects.enumerated() {
      do {
        keys.append(try key(of: object))
        indices.append(index)
      } catch {
        outcomes[index] = .failed(S3Error(answering: error))
      }
    }
    let results = await store.objects.delete(bucket: bucket, keys: keys)
    for (index, result) in zip(indices, results) {
      if case .failure(let error) = result { outcomes[index] = .failed(S3Error(answering: error)) }
    }
    return outcomes
  }

  private static func key(of object: XMLElement) throws -> ObjectKey {
    let text = object.text(of: "Key") ?? ""
    if let version = object.text(of: "VersionId"), version != "null", !version.isEmpty {
      throw S3Error(.notImplemented, "Versions are not implemented yet.")
    }
    for condition in ["ETag", "LastModifiedTime", "Size"] where object.child(condition) != nil {
      throw S3Error(.notImplemented, "Conditional deletion is not implemented yet.")
    }
    return try ObjectKey(text)
  }

  private static func write(
    _ outcome: Outcome, of object: XMLElement, isQuiet: Bool, to xml: inout XMLWriter
  ) {
    let key = object.text(of: "Key") ?? ""
    switch outcome {
    case .deleted:
      guard !isQuiet else { return }
      xml.element("Deleted") { xml in xml.element("Key", key) }
    case .failed(let error):
      xml.element("Error") { xml in
        xml.element("Key", key)
        xml.element("Code", error.code.rawValue)
        xml.element("Message", error.message)
      }
    }
  }
}
