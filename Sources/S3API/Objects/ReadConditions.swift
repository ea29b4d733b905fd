// Conditional reads (RFC 9110, section 13): a client that has a copy asks whether it is still right.

import APICommon
package import Base
package import HTTP

/// The conditions of a request that reads an object.
package struct ReadConditions {
  /// What the conditions come to.
  package enum Outcome: Equatable {
    case proceed
    case notModified
    case failed
  }

  private let ifMatch: String?
  private let ifNoneMatch: String?
  private let ifModifiedSince: WallTime?
  private let ifUnmodifiedSince: WallTime?

  /// Reads the headers.
  ///
  /// Dates that cannot be read are ignored, as the RFC says, and so is an `If-Modified-Since` of the future, as S3
  /// does: it tells of a wrong clock, and would hide every change until then.
  ///
  /// - Parameter prefix: What their names begin with, such as `x-amz-copy-source-`.
  package init(
    _ headers: HTTPHeaders, prefix: StaticString = "", now: @autoclosure () -> WallTime
  ) {
    var texts: (match: String?, noneMatch: String?, modified: String?, unmodified: String?)
    headers.visitFields { name, value in
      guard name.begins(with: prefix) else { return }
      let condition = name.from(prefix.utf8CodeUnitCount)
      guard condition.begins(with: "if-") else { return }
      // The first of several counts.
      if condition.spells("if-match") {
        texts.match = texts.match ?? value.text
      } else if condition.spells("if-none-match") {
        texts.noneMatch = texts.noneMatch ?? value.text
      } else if condition.spells("if-modified-since") {
        texts.modified = texts.modified ?? value.text
      } else if condition.spells("if-unmodified-since") {
        texts.unmodified = texts.unmodified ?? value.text
      }
    }
    ifMatch = texts.match
    ifNoneMatch = texts.noneMatch
    ifModifiedSince = texts.modified.flatMap { text in
      let now = now()
      let date = CivilTime(anyHTTPDate: text, now: now)?.wallTime
      return date.flatMap { $0.seconds > now.seconds ? nil : $0 }
    }
    ifUnmodifiedSince = texts.unmodified.flatMap {
      CivilTime(anyHTTPDate: $0, now: now())?.wallTime
    }
  }

  /// Evaluates the conditions in the order of section 13.2.2: those on ETags take the place of those on
  /// dates.
  package func evaluate(etag: String, lastModified: WallTime) -> Outcome {
    if let ifMatch {
      guard Self.lists(ifMatch, etag) else { return .failed }
    } else if let ifUnmodifiedSince, lastModified.seconds > ifUnmodifiedSince.seconds {
      return .failed
    }
    if let ifNoneMatch {
      if Self.lists(ifNoneMatch, etag) { return .notModified }
    } else if let ifModifiedSince, lastModified.seconds <= ifModifiedSince.seconds {
      return .notModified
    }
    return .proceed
  }

  /// Whether a Range header counts: `If-Range` names the copy of which the client has a part.
  package static func rangeCounts(
    _ headers: HTTPHeaders, etag: String, lastModified: WallTime, now: @autoclosure () -> WallTime
  ) -> Bool {
    guard let text = headers["if-range"] else { return true }
    if let date = CivilTime(anyHTTPDate: text, now: now()) {
      return date.wallTime.seconds == lastModified.seconds
    }
    return !text.hasPrefix("W/") && lists(text, etag)
  }

  /// Whether a list of entity tags names `etag`.
  ///
  /// Clients leave out the quotes at times.
  private static func lists(_ list: String, _ etag: String) -> Bool {
    list.split(separator: ",").contains { element in
      var tag = element.drop { $0 == " " }
      while tag.last == " " { tag.removeLast() }
      if tag == "*" { return true }
      if tag.hasPrefix("W/") { tag = tag.dropFirst(2) }
      if tag.first == "\"" { tag = tag.dropFirst() }
      if tag.last == "\"" { tag = tag.dropLast() }
      return tag == etag
    }
  }
}
