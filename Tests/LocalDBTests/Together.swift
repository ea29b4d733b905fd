import LocalDB
import Synchronization

/// Runs `bodies` so that most of them share a transaction: a first one holds the writer until all are under way.
///
/// - Returns: What each of them was answered; `nil` for those that were kept.
func together(
  _ database: LocalDatabase, _ bodies: [@Sendable (WriteTransaction) throws -> Void]
) async -> [(any Error)?] {
  let started = Started()
  return await withTaskGroup(of: (Int, (any Error)?).self) { group in
    group.addTask {
      do {
        try await database.write { _ in
          while started.count.load(ordering: .acquiring) < bodies.count {}
        }
        return (-1, nil)
      } catch {
        return (-1, error)
      }
    }
    for (number, body) in bodies.enumerated() {
      group.addTask {
        started.count.add(1, ordering: .releasing)
        do {
          try await database.write(body)
          return (number, nil)
        } catch {
          return (number, error)
        }
      }
    }
    return await group.reduce(into: [(any Error)?](repeating: nil, count: bodies.count)) {
      if $1.0 >= 0 { $0[$1.0] = $1.1 }
    }
  }
}

private final class Started: Sendable {
  let count = Atomic(0)
}
