// Who gets a place for a handshake when there are more than places.

import Mesh
import Reactor
import Synchronization
import Testing

@Suite struct HandshakeLimitsTests {
  private static func address(_ number: Int) -> SocketAddress {
    .ipv4(address: 0x0A00_0000 + UInt32(number), port: 1)
  }

  @Test func theOldestStrangerMakesRoom() throws {
    let limits = HandshakeLimits()
    let evicted = Mutex<[Int]>([])
    var places: [HandshakeLimits.Place] = []
    for number in 0..<HandshakeLimits.strangersMax + 2 {
      let place = limits.enter(Self.address(number), isKnown: false) {
        evicted.withLock { $0.append(number) }
      }
      places.append(try #require(place))
    }
    #expect(evicted.withLock { $0 } == [0, 1])
    // Who was evicted leaves as well, and takes nothing from who has the place now.
    for place in places.prefix(2) { limits.leave(place) }
    _ = limits.enter(Self.address(1000), isKnown: false) {}
    #expect(evicted.withLock { $0 } == [0, 1, 2])
    // Who has ended in time is not ended again.
    limits.leave(places[3])
    _ = limits.enter(Self.address(1001), isKnown: false) {}
    #expect(evicted.withLock { $0 } == [0, 1, 2])
  }

  @Test func oneAddressHasFewPlaces() throws {
    let limits = HandshakeLimits()
    let places = (0..<HandshakeLimits.perAddressMax).map { _ in
      limits.enter(Self.address(1), isKnown: false) {}
    }
    #expect(limits.enter(Self.address(1), isKnown: false) {} == nil)
    #expect(limits.enter(Self.address(2), isKnown: false) {} != nil)
    limits.leave(try #require(places.last ?? nil))
    #expect(limits.enter(Self.address(1), isKnown: false) {} != nil)
  }

  @Test func strangersTakeNoPlaceOfPeers() {
    let limits = HandshakeLimits()
    let evicted = Mutex(0)
    for number in 0..<200 {
      _ = limits.enter(Self.address(number), isKnown: false) {}
    }
    let peer = limits.enter(Self.address(500), isKnown: true) { evicted.withLock { $0 += 1 } }
    #expect(peer != nil)
    for number in 600..<800 {
      _ = limits.enter(Self.address(number), isKnown: false) {}
    }
    #expect(evicted.withLock { $0 } == 0)
  }
}
