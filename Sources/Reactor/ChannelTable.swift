// The channels that a loop watches, by the number that epoll hands back.
//
// epoll(7) returns, with each event, 64 bits that were given at registration. A pointer there would dangle when a
// channel is closed by an earlier event of the same batch. So the 64 bits are a place in this table and the
// place's generation, which changes whenever the place is given up: an event that comes late finds nothing.

/// A place in the table at one of its generations; never 0, which is the loop's own wake-up event.
struct ChannelToken: Equatable {
  var rawValue: UInt64

  fileprivate init(place: Int, generation: UInt32) {
    rawValue = UInt64(generation) << 32 | UInt64(place)
  }

  init(rawValue: UInt64) { self.rawValue = rawValue }

  fileprivate var place: Int { Int(rawValue & 0xFFFF_FFFF) }
  fileprivate var generation: UInt32 { UInt32(rawValue >> 32) }
}

struct ChannelTable {
  private struct Place {
    var channel: Channel?
    /// At least 1, so that no token is 0.
    var generation: UInt32 = 1
  }

  private var places: [Place] = []
  private var free: [Int] = []

  /// How many channels are in the table.
  var count: Int { places.count - free.count }

  /// Every channel, in no meaningful order.
  var all: [Channel] { places.compactMap(\.channel) }

  /// Keeps `channel` until `remove`.
  mutating func insert(_ channel: Channel) -> ChannelToken {
    let place: Int
    if let reused = free.popLast() {
      place = reused
    } else {
      place = places.count
      places.append(Place())
    }
    places[place].channel = channel
    return ChannelToken(place: place, generation: places[place].generation)
  }

  /// Gives up the place of `token`; nothing happens when that was done before.
  mutating func remove(_ token: ChannelToken) {
    guard self[token] != nil else { return }
    places[token.place].channel = nil
    let next = places[token.place].generation &+ 1
    places[token.place].generation = next == 0 ? 1 : next
    free.append(token.place)
  }

  /// The channel of `token`, or `nil` when it was removed.
  subscript(token: ChannelToken) -> Channel? {
    guard token.place < places.count, places[token.place].generation == token.generation
    else { return nil }
    return places[token.place].channel
  }
}
