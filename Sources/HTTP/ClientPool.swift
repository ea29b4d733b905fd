// Connections that wait for their next request.

import Base
private import Synchronization

/// The idle connections of one client, by endpoint and lane, the latest used first.
final class ClientPool: Sendable {
  private struct Key: Hashable {
    var endpoint: HTTPEndpoint
    var lane: Int
  }

  // Safe because an idle connection is used by nobody, and is taken only on the lane that put it here.
  private struct Idle: @unchecked Sendable {
    var connection: ClientConnection
    var since: MonotonicInstant
  }

  private struct State {
    var idle: [Key: [Idle]] = [:]
    var isClosed = false
  }

  let options: HTTPClient.Options
  private let runtime: any Runtime
  private let state = Mutex(State())

  init(options: HTTPClient.Options, runtime: any Runtime) {
    self.options = options
    self.runtime = runtime
  }

  /// A connection to `endpoint` that was used before; the caller has it alone.
  func take(_ endpoint: HTTPEndpoint) -> ClientConnection? {
    let key = Key(endpoint: endpoint, lane: options.lane())
    let oldest = runtime.now - options.idleTimeout
    let (found, expired) = state.withLock { state -> (Idle?, [Idle]) in
      guard let last = state.idle[key]?.popLast() else { return (nil, []) }
      if last.since >= oldest { return (last, []) }
      // The ones below have waited longer.
      return (nil, [last] + (state.idle.removeValue(forKey: key) ?? []))
    }
    for idle in expired { idle.connection.close() }
    return found?.connection
  }

  /// Keeps `connection`, or closes it when there are enough.
  func put(_ connection: ClientConnection) {
    let key = Key(endpoint: connection.endpoint, lane: options.lane())
    let idle = Idle(connection: connection, since: runtime.now)
    let isKept = state.withLock { state in
      guard !state.isClosed, state.idle[key, default: []].count < options.idleConnectionsMax
      else { return false }
      state.idle[key, default: []].append(idle)
      return true
    }
    if !isKept { connection.close() }
  }

  func close() {
    let lane = options.lane()
    let closed = state.withLock { state -> [Idle] in
      state.isClosed = true
      let keys = state.idle.keys.filter { $0.lane == lane }
      return keys.flatMap { state.idle.removeValue(forKey: $0) ?? [] }
    }
    for idle in closed { idle.connection.close() }
  }
}

extension MonotonicInstant {
  fileprivate static func - (left: Self, right: Duration) -> Self { left + (.zero - right) }
}
