// Why a call to another node came to nothing.

package import Base

/// Why a peer cannot be asked, or did not answer.
///
/// After any of them but `notConnected` the other node may have done what it was asked.
package enum MeshError: Error, Equatable, Sendable {
  /// There is no connection to the node.
  case notConnected(NodeID)
  /// The connection ended; why.
  case disconnected(CloseReason, String)
  /// The stream was ended by the other side, or by us.
  case reset(ResetCode, String)
  /// The other side broke the rules of docs/formats/wire.md; which. The connection is closed.
  case violation(String)
}

/// Why a stream ended early; the raw values are on the wire.
package enum ResetCode: UInt8, Sendable {
  case cancelled = 1
  case unknownEndpoint = 2
  case failed = 3
  case timedOut = 4
  case overloaded = 5
  case malformed = 6
}

/// Why a connection ended; the raw values are on the wire.
package enum CloseReason: UInt8, Sendable {
  /// Its node stops.
  case stopping = 0
  case otherCluster = 1
  /// There is another connection of the pair and lane.
  case superseded = 2
  case noCommonProtocol = 3
  case violation = 4
  case notMember = 5
  case silence = 6
  /// The connection broke, or was closed without a word; never on the wire.
  case broken = 255
}

extension MeshError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .notConnected(let node): "there is no connection to the node \(node.hex.prefix(16))"
    case .disconnected(let reason, let text):
      "the connection ended (\(reason))" + (text.isEmpty ? "" : ": \(text)")
    case .reset(let code, let text):
      "the peer did not answer (\(code))" + (text.isEmpty ? "" : ": \(text)")
    case .violation(let text): "the peer broke the protocol: \(text)"
    }
  }
}
