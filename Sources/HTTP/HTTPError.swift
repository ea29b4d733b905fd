// What can go wrong with a message.

import Reactor

/// A message that breaks RFC 9110 or RFC 9112, or a limit.
///
/// The connection cannot be used further, as where the next message begins is no longer known.
package struct HTTPRejection: Error, Equatable {
  /// The status to answer a request with.
  package let status: Int
  /// What is wrong, in a few words, without anything that the sender chose.
  package let reason: String

  /// A rejection with `status`.
  package init(_ status: Int, _ reason: String) {
    self.status = status
    self.reason = reason
  }
}

/// Why an exchange did not come to its end.
package enum HTTPError: Error, Equatable {
  /// The body or a chunk breaks the rules.
  case malformed(HTTPRejection)
  /// The peer closed or broke the connection in the middle of a message.
  case truncated
  /// The body is longer than the caller allowed.
  case bodyTooLarge(maxBytes: Int)
  /// The peer sent or took bytes too slowly.
  case timedOut
  /// A second response to one request, or a write after the end.
  case alreadyResponded
  /// The handler wrote more or fewer bytes than the length it announced.
  case lengthMismatch
  /// The client or server has been shut down.
  case closed
}

extension HTTPError {
  /// What a failure of the stream in the middle of a message means for the message.
  static func inMessage(_ error: any Error) -> any Error {
    switch error as? StreamError {
    case .timedOut: HTTPError.timedOut
    // A TLS alert, or bytes that are no record, end the connection as its end does.
    case .disconnected, .tls: HTTPError.truncated
    case .unresolved, nil: error
    }
  }
}
