import Base
import Glibc
import Reactor
import Testing

@Suite("Signals")
struct SignalSourceTests {
  @Test("arrive on the loop, and no longer end the process")
  func arrive() async {
    await #expect(processExitsWith: .success) {
      try await onLoops(2) { group in
        // A source that is closed makes room for another.
        try SignalSource(on: group.loops[0]).close()
        let signals = try SignalSource(on: group.loops[0])
        for signal in Signal.allCases {
          kill(getpid(), signal.rawValue)
          let received = try await signals.next()
          precondition(received == signal)
          precondition(group.loops[0].isCurrent)
        }
        kill(getpid(), SIGPIPE)
      }
    }
  }

  @Test("have their default effect again once the source is closed")
  func closed() async {
    await #expect(processExitsWith: .signal(SIGTERM)) {
      try await onLoops { group in
        let signals = try SignalSource([.terminate], on: group.loops[0])
        kill(getpid(), SIGTERM)
        _ = try await signals.next()
        signals.close()
        kill(getpid(), SIGTERM)
        try await group.sleep(for: .seconds(5))
      }
    }
  }
}
