// Numbers in queries.
//
// S3 takes a parameter that is there without a value for one that is not there, when it is a number of entries or where
// a page begins. What is no number, or too large for any listing, is refused, and more entries than a page may have
// are as many as it may have (docs/s3.md, "Parameters out of the ordinary").

import APICommon
import Base
import Model

extension S3Request {
  /// The number in the query parameter `name`; `nil` without one.
  ///
  /// - Throws: `InvalidArgument` when it is no number from 0 to 2^31 - 1.
  func number(_ name: StaticString) throws(S3Error) -> Int? {
    guard let text = try target.value(name), !text.isEmpty else { return nil }
    if let number = Int32(digits: text.utf8) { return Int(number) }
    throw S3Error.argument(
      "\(name)", text,
      text.hasPrefix("-")
        ? "Argument \(name) must be an integer between 0 and \(Int32.max)"
        : "Provided \(name) not an integer or within integer range")
  }

  /// How many entries a page is to have: what the query parameter `name` says, but at most `pageMax`, which is also what
  /// a page has when nobody says.
  ///
  /// - Throws: as `number`.
  func pageLimit(_ name: StaticString, max pageMax: Int) throws(S3Error) -> Int {
    min(try number(name) ?? pageMax, pageMax)
  }

  /// The number of a part in the query; `nil` without one.
  ///
  /// - Throws: `InvalidArgument` when it is no number from 1 to 10,000.
  func partNumber() throws(S3Error) -> Int? {
    guard let text = try target.value("partNumber") else { return nil }
    if let number = Int32(digits: text.utf8), (1...MultipartUploads.partNumberMax) ~= Int(number) {
      return Int(number)
    }
    throw S3Error.argument("partNumber", text, S3Error.partNumberRange)
  }
}
