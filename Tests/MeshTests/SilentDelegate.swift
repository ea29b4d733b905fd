import Base
import Mesh
import Reactor

/// Says nothing, and hears what it likes.
final class SilentDelegate: MeshDelegate {
  func meshNews() -> [UInt8] { [] }
  func mesh(heard news: [UInt8], from node: NodeID) {}
  func mesh(connected node: NodeID, observed: SocketAddress?) {}
  func mesh(lost node: NodeID) {}
  nonisolated(nonsending) func mesh(joining stream: TLSStream, key: NodeID) async {}
}
