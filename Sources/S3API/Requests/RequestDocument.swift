// The XML documents that requests bring.

package import APICommon
package import Codecs
package import Model

/// Reads the documents of requests.
package enum RequestDocument {
  /// 10,000 parts with checksums fit, and 1,000 of the longest keys unless nearly each of their bytes is an escaped `&`.
  static let bytesMax = 4 << 20

  /// Why a longer one is refused.
  static var tooLarge: S3Error {
    S3Error(
      .maxMessageLengthExceeded,
      details: [S3Error.Detail("MaxMessageLengthBytes", String(bytesMax))])
  }

  /// The document in `bytes`, whose root must be called `root`; `nil` when there are no bytes.
  ///
  /// - Throws: `MalformedXML`.
  package static func parse(_ bytes: [UInt8], root: String) throws(S3Error) -> XMLElement? {
    guard !bytes.isEmpty else { return nil }
    let element: XMLElement
    do throws(XMLError) {
      element = try XMLParser.parse(bytes, limits: XMLLimits(bytesMax: bytesMax))
    } catch {
      throw S3Error(.malformedXML)
    }
    guard element.name == root else {
      throw S3Error(.malformedXML, "The XML document must be a \(root).")
    }
    return element
  }
}

/// What a DeleteObjects request asks for.
package struct DeletionDocument: Sendable {
  /// S3's limit on the keys of one request.
  private static let keysMax = 1000

  /// One object: its key as the answer repeats it, and what it comes to.
  package struct Object: Sendable {
    package let text: String
    package let key: Result<ObjectKey, S3Error>
  }

  /// From 1 to 1,000.
  package let objects: [Object]
  /// Whether the answer names only what failed.
  package let isQuiet: Bool

  /// Reads a `Delete`.
  ///
  /// - Throws: `MalformedXML`. What is wrong with one object is in its `key`.
  package init(_ document: XMLElement) throws(S3Error) {
    let elements = document.children(named: "Object")
    guard (1...Self.keysMax).contains(elements.count) else {
      throw S3Error(.malformedXML, "A request deletes from 1 to \(Self.keysMax) objects.")
    }
    var objects: [Object] = []
    for element in elements {
      guard let text = element.text(of: "Key") else {
        throw S3Error(.malformedXML, "Each object needs a Key.")
      }
      objects.append(Object(text: text, key: Self.key(text, of: element)))
    }
    self.objects = objects
    isQuiet = document.trimmedText(of: "Quiet")?.lowercased() == "true"
  }

  private static func key(_ text: String, of element: XMLElement) -> Result<ObjectKey, S3Error> {
    if let version = element.text(of: "VersionId"), version != "null", !version.isEmpty {
      return .failure(S3Error(.notImplemented, "Versions are not implemented yet."))
    }
    for condition in ["ETag", "LastModifiedTime", "Size"] where element.child(condition) != nil {
      return .failure(S3Error(.notImplemented, "Conditional deletion is not implemented yet."))
    }
    return Result { () throws(ModelError) in try ObjectKey(text) }
      .mapError { S3Error(answering: $0) }
  }
}
