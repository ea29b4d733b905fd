// Looks for an order in which a register could have done what clients saw.
//
// Wing and Gong's search with Lowe's memory of where it has been: an operation may come next if none of those that
// remain ended before it began. A read of the present value can always come next, so that only changes are choices.
// Two things keep what is unknown from making it endless: a put of unknown outcome that nobody read is left out, as
// an order with it is one without it; of one that was read it is known that it took effect before the first such read
// ended. And deletes of unknown outcome are all alike, but for their beginning: how many were used is all there is to
// remember, and one is used only where a read finds nothing.

/// A search over one key's history.
struct RegisterSearch {
  /// Where the search is.
  private struct Place: Hashable {
    /// Which operations are in order already, a bit each.
    var done: [UInt64]
    var value: String?
    /// Deletes of unknown outcome that took effect.
    var deletesUsed = 0

    func has(_ index: Int) -> Bool { done[index / 64] & (1 << UInt64(index % 64)) != 0 }
    mutating func insert(_ index: Int) { done[index / 64] |= 1 << UInt64(index % 64) }
  }

  /// Operations that took effect for certain, by their beginning.
  private let operations: [RegisterOperation]
  /// Where deletes of unknown outcome began, ascending.
  private let deletes: [Moment]
  /// Where a change may take effect again: by the value that it leaves, the times of those that leave it.
  private let repeatable: [String?: [Span]]
  /// Beyond it the history is no test any more but a puzzle: a workload with fewer clients a key is wanted.
  private static let placesMax = 400_000

  /// - Parameter mayRepeat: Whether a change may take effect more than once.
  init(_ history: [RegisterOperation], mayRepeat: Bool = false) {
    let changes = history.filter { $0.isChange && $0.ending != .refused }
    repeatable =
      mayRepeat ? Dictionary(grouping: changes, by: \.value).mapValues { $0.map(\.span) } : [:]
    var firstReads: [String: Moment] = [:]
    for case let operation in history {
      guard case .read(let value?) = operation.kind else { continue }
      firstReads[value] = min(firstReads[value] ?? .max, operation.span.end)
    }
    operations = history.compactMap { operation in
      guard operation.ending == .unknown else {
        return operation.ending == .refused ? nil : operation
      }
      guard let value = operation.value, let end = firstReads[value] else { return nil }
      var operation = operation
      operation.span.end = end
      return operation
    }.sorted { $0.span.start < $1.span.start }
    deletes = history.filter { $0.kind == .delete && $0.ending == .unknown }.map(\.span.start)
      .sorted()
  }

  /// Why there is no order; `nil` when there is one.
  func violation() -> String? {
    var start = Place(done: [UInt64](repeating: 0, count: operations.count / 64 + 1))
    readOn(&start)
    var (pending, seen): ([Place], Set<Place>) = ([start], [start])
    var (farthest, count) = (start, -1)
    while let place = pending.popLast() {
      let done = place.done.reduce(0) { $0 + $1.nonzeroBitCount }
      if done == operations.count { return nil }
      if done > count { (farthest, count) = (place, done) }
      for var next in choices(place) {
        readOn(&next)
        if seen.insert(next).inserted { pending.append(next) }
      }
      if seen.count > Self.placesMax { return "too many orders to try: fewer clients a key" }
    }
    return report(farthest)
  }

  /// What may come next: operations that began before any that remains ended.
  private func candidates(_ place: Place) -> (indices: [Int], end: Moment) {
    var (indices, end): ([Int], Moment) = ([], .max)
    for (index, operation) in operations.enumerated() where !place.has(index) {
      if operation.span.start > end { break }
      indices.append(index)
      end = min(end, operation.span.end)
    }
    return (indices.filter { operations[$0].span.start < end }, end)
  }

  /// Puts every read of the present value in order that can come next.
  private func readOn(_ place: inout Place) {
    while true {
      let value = place.value
      let reads = candidates(place).indices.filter { operations[$0].kind == .read(value) }
      if reads.isEmpty { return }
      for index in reads { place.insert(index) }
    }
  }

  private func choices(_ place: Place) -> [Place] {
    let (indices, end) = candidates(place)
    var next: [Place] = []
    for index in indices {
      var changed = place
      switch operations[index].kind {
      case .put(let value): changed.value = value
      case .delete: changed.value = nil
      case .read(let value) where isRepeated(value, place, before: end): changed.value = value
      case .read(nil):
        guard place.deletesUsed < deletes.count, deletes[place.deletesUsed] < end else { continue }
        changed.value = nil
        changed.deletesUsed += 1
      case .read: continue
      }
      changed.insert(index)
      next.append(changed)
    }
    return next
  }

  /// Whether a change that leaves `value` may take effect here once more, or for the first time.
  private func isRepeated(_ value: String?, _ place: Place, before end: Moment) -> Bool {
    guard let spans = repeatable[value] else { return false }
    var latest: Moment = 0
    for index in operations.indices.reversed() where place.has(index) {
      latest = operations[index].span.start
      break
    }
    return spans.contains { $0.start < end && $0.end > latest }
  }

  /// The operations around the place at which every order ends.
  private func report(_ place: Place) -> String {
    let (indices, end) = candidates(place)
    let near = operations.indices.filter { index in
      let span = operations[index].span
      return indices.contains(index)
        || span.start < end
          && span.end > (indices.first.map { operations[$0].span.start } ?? 0) - 40
    }
    let lines = near.map { "  \(place.has($0) ? " " : "?") \(operations[$0])" }
    return "no order explains what was read; the value was \(place.value ?? "nothing") here:\n"
      + lines.joined(separator: "\n")
  }
}
