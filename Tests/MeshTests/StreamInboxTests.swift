// What waits to be read.

import Base
import Mesh
import SimulatedWorld
import Testing

@Suite struct StreamInboxTests {
  /// Whatever comes and is read in whatever pieces: the bytes are those that came, and memory is what is unread, twice.
  @Test(arguments: 0..<20) func bytesComeOutAsTheyCame(_ seed: UInt64) {
    let random = SeededRandom(seed: seed)
    let windowBytes = 1000
    var inbox = StreamInbox()
    var unread: [UInt8] = []
    var most = 0
    for _ in 0..<2000 {
      let piece = random.bytes(random.below(windowBytes - inbox.count + 1))
      piece.withUnsafeBytes { inbox.append($0) }
      unread += piece
      var read: [UInt8] = []
      let count = inbox.take(max: random.below(windowBytes)) { read = Array($0) }
      #expect(count == read.count && read.elementsEqual(unread.prefix(count)))
      unread.removeFirst(count)
      #expect(inbox.count == unread.count)
      most = max(most, inbox.heldBytes)
    }
    #expect(most <= 2 * windowBytes)
  }

  /// A reader that never has read all: what it has read is forgotten all the same.
  @Test func aReaderThatIsAlwaysBehindHoldsNoMore() {
    var inbox = StreamInbox()
    var most = 0
    [UInt8](repeating: 1, count: 500).withUnsafeBytes { piece in
      inbox.append(piece)
      for _ in 0..<10_000 {
        inbox.append(piece)
        #expect(inbox.take(max: piece.count) { _ in } == piece.count)
        most = max(most, inbox.heldBytes)
      }
    }
    #expect(inbox.count == 500)
    #expect(most <= 1500)
  }
}
