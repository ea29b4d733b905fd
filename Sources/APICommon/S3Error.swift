// Errors as S3 clients know them: a code to act on, a status, a sentence.
//
// SDKs decide by the code and the status whether to retry, so both follow S3's list
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html). The sentence is S3's too, as programs
// compare it (S3ErrorMessages.swift), and ours where S3's would not say what is wrong. What an error is about stands in
// further elements, under S3's names for them.

import Codecs
package import HTTP

/// Why a request was refused or failed.
package struct S3Error: Error, Sendable {
  /// What a program reads.
  package let code: S3ErrorCode
  /// What a person reads.
  package let message: String
  /// Further elements of the error document, such as `Region`.
  package var details: [Detail]
  /// Headers that the response has because of the error, such as the `Content-Range` of a 416.
  package var headers: HTTPHeaders

  /// One element of the error document.
  package struct Detail: Sendable {
    package let name: StaticString
    package let value: String

    package init(_ name: StaticString, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  /// An error with `code`, and its usual sentence unless there is a better one.
  package init(
    _ code: S3ErrorCode, _ message: String? = nil, details: [Detail] = [],
    headers: HTTPHeaders = HTTPHeaders()
  ) {
    self.headers = headers
    self.code = code
    self.message = message ?? code.usualMessage
    self.details = details
  }

  /// `InvalidArgument`, with the name and value of the query parameter or header that it is about.
  package static func argument(_ name: String, _ value: String, _ message: String) -> S3Error {
    S3Error(
      .invalidArgument, message,
      details: [Detail("ArgumentName", name), Detail("ArgumentValue", value)])
  }

  /// Adds a detail, unless whoever threw the error knew it already.
  package mutating func note(_ name: StaticString, _ value: String?) {
    guard let value, !details.contains(where: { "\($0.name)" == "\(name)" }) else { return }
    details.append(Detail(name, value))
  }

  /// The HTTP status.
  package var status: Int { code.status }

  /// The error document.
  ///
  /// - Parameter resource: the path of the request, as received.
  package func document(resource: String, requestID: String) -> [UInt8] {
    var xml = XMLWriter()
    xml.element("Error") { xml in
      xml.element("Code", code.rawValue)
      xml.element("Message", message)
      for detail in details { xml.element(detail.name, detail.value) }
      xml.element("Resource", resource)
      xml.element("RequestId", requestID)
    }
    return xml.bytes
  }
}
