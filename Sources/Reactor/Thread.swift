// Threads of the operating system.

private import CShims
private import Glibc

/// A thread that was started.
struct Thread: Sendable {
  private let handle: pthread_t

  /// Pages are given only as they are touched; foreign code under us (SQLite, getaddrinfo(3)) is content with it.
  private static let stackBytes = 1 << 20

  private final class Body {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// Runs `body` on a new thread.
  ///
  /// - Returns: `nil` when the system gives no thread: limits of memory, of threads or of processes.
  static func start(_ body: @escaping @Sendable () -> Void) -> Thread? {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setstacksize(&attributes, stackBytes)
    defer { pthread_attr_destroy(&attributes) }
    var handle = pthread_t()
    let argument = Unmanaged.passRetained(Body(body))
    let started = pthread_create(
      &handle, &attributes,
      { argument in
        if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, argument.toOpaque())
    guard started == 0 else {
      argument.release()
      return nil
    }
    return Thread(handle: handle)
  }

  /// As `start`, for the threads without which nothing works.
  ///
  /// Stops the process when the system gives no thread.
  static func startRequired(_ body: @escaping @Sendable () -> Void) -> Thread {
    guard let thread = start(body) else {
      fatalError("the system gives no further thread: raise its limits")
    }
    return thread
  }

  /// Waits for the thread's end.
  func join() { pthread_join(handle, nil) }

  /// Lets the thread end by itself.
  func detach() { pthread_detach(handle) }
}
