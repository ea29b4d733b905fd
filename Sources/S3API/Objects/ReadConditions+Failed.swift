// Which of a request's conditions failed, in the words of an error document.

import APICommon
import HTTP

extension ReadConditions {
  /// The detail that names the condition of `headers` that `evaluate` found failed: by the order in which it looks, that
  /// on ETags wherever there is one.
  static func failed(_ headers: HTTPHeaders) -> S3Error.Detail {
    S3Error.Detail(
      "Condition", headers.contains("if-match") ? "If-Match" : "If-Unmodified-Since")
  }

  /// The same for the source of a copy, where what would be "not modified" of a read fails, too.
  static func failedOfSource(_ headers: HTTPHeaders, _ outcome: Outcome) -> S3Error.Detail {
    let prefix = "x-amz-copy-source-"
    let (onETag, onDate) =
      outcome == .failed
      ? ("If-Match", "If-Unmodified-Since") : ("If-None-Match", "If-Modified-Since")
    return S3Error.Detail(
      "Condition", prefix + (headers.contains(prefix + onETag.lowercased()) ? onETag : onDate))
  }
}
