// fsync of directories, done once for all who wait for it at a time.
//
// A name is on stable storage after its directory is. While one round of calls runs, further requests gather, and the
// next round serves all of them: one thread instead of one for each upload, each directory once. On a
// journalling file system the first call of a round commits the journal, and the others find their work done.

import Base
private import Synchronization

/// Puts the names in directories on stable storage.
final class DirectorySyncs: Sendable {
  private struct Request {
    var path: String
    var continuation: CheckedContinuation<Void, any Error>
  }

  private struct State {
    var requests: [Request] = []
    var isRunning = false
  }

  private let files: any FileSystem
  private let runtime: any Runtime
  private let isEnabled: Bool
  private let state = Mutex(State())

  init(files: any FileSystem, runtime: any Runtime, isEnabled: Bool) {
    self.files = files
    self.runtime = runtime
    self.isEnabled = isEnabled
  }

  /// Returns when the names in the directory `path` as of now are on stable storage.
  ///
  /// - Throws: `FileError`. Not cancellable.
  nonisolated(nonsending) func sync(_ path: String) async throws {
    guard isEnabled else { return }
    try await withCheckedThrowingContinuation {
      (continuation: CheckedContinuation<Void, any Error>) in
      let begins = state.withLock { state in
        state.requests.append(Request(path: path, continuation: continuation))
        defer { state.isRunning = true }
        return !state.isRunning
      }
      if begins { runtime.spawn { await self.run() } }
    }
  }

  private nonisolated(nonsending) func run() async {
    while true {
      let round = state.withLock { state in
        defer { state.requests = [] }
        if state.requests.isEmpty { state.isRunning = false }
        return state.requests
      }
      if round.isEmpty { return }
      let outcome = await outcome(of: Array(Set(round.map(\.path))).sorted())
      for request in round {
        request.continuation.resume(with: outcome[request.path] ?? .success(()))
      }
    }
  }

  private nonisolated(nonsending) func outcome(
    of paths: [String]
  ) async -> [String: Result<Void, any Error>] {
    let files = files
    do {
      return try await runtime.blocking {
        var results: [String: Result<Void, any Error>] = [:]
        for path in paths { results[path] = Result { try files.syncDirectory(path) } }
        return results
      }
    } catch {
      return Dictionary(uniqueKeysWithValues: paths.map { ($0, .failure(error)) })
    }
  }
}
