// Where the answers of several tasks arrive for one.

private import Synchronization

/// A queue that any task puts into and one task takes from.
///
/// Unlike a task group it lets its reader leave: what arrives later is dropped with the mailbox, and the
/// senders are held up by nobody.
final class Mailbox<Message: Sendable>: Sendable {
  private struct State {
    var messages: [Message] = []
    var reader: UnsafeContinuation<Message, Never>?
  }

  private let state = Mutex(State())

  /// Puts `message` at the end.
  func put(_ message: Message) {
    let reader = state.withLock { state in
      let reader = state.reader
      state.reader = nil
      if reader == nil { state.messages.append(message) }
      return reader
    }
    reader?.resume(returning: message)
  }

  /// Takes the first message, once there is one.
  ///
  /// One reader at a time.
  nonisolated(nonsending) func take() async -> Message {
    await withUnsafeContinuation { continuation in
      let message: Message? = state.withLock { state in
        if !state.messages.isEmpty { return state.messages.removeFirst() }
        state.reader = continuation
        return nil
      }
      if let message { continuation.resume(returning: message) }
    }
  }
}
