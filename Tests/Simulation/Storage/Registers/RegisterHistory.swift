// Whether what clients saw of one key can be what one register went through.
//
// Values are unique. A history is right if there is an order of all changes and reads in which each read returns what
// the last change before it left, and each operation lies between its beginning and its end (Herlihy and Wing,
// "Linearizability"). That one law says everything that is promised of a key: no read is older than what was
// acknowledged before it began, nor older than what another read had returned; nothing comes back that was replaced.
//
// What is not certain fits in: a write that was refused never takes effect, and one whose outcome is unknown takes
// effect once or not at all, any time after it began, even after its error answer.
//
// On several replicas a write may take effect again: a first attempt reached some of them, was seen, and was replaced
// before the others refused it as too old; then its coordinator tries again above. So it may come back within its own
// time, which for one of unknown outcome has no end.
//
// Reasons that have a name are looked for first, as they are short to read; the search for an order
// (RegisterSearch.swift) finds the rest.

/// A change or a read of a key.
struct RegisterOperation: Sendable {
  enum Kind: Sendable, Equatable {
    case put(String)
    case delete
    /// What was found; `nil` is nothing.
    case read(String?)
  }

  var kind: Kind
  var span: Span
  var ending: Ending
  /// Who did it, where and when, for people.
  var label: String
}

extension RegisterOperation: CustomStringConvertible {
  var description: String {
    let action =
      switch kind {
      case .put(let value): "put \(value)"
      case .delete: "delete"
      case .read(let value): "read \(value ?? "nothing")"
      }
    let doubt =
      switch ending {
      case .acknowledged: ""
      case .refused: " (refused)"
      case .unknown: " (unknown)"
      }
    return "\(span) \(action)\(doubt) \(label)"
  }
}

/// All that clients did with one key, which held nothing at first.
struct RegisterHistory: Sendable {
  private(set) var operations: [RegisterOperation] = []
  /// Whether there are several replicas.
  var isReplicated = false

  /// Notes an operation; a read that was not answered says nothing.
  mutating func add(_ operation: RegisterOperation) {
    if case .read = operation.kind, operation.ending != .acknowledged { return }
    var operation = operation
    if operation.ending == .unknown { operation.span.end = .max }
    operations.append(operation)
  }

  /// What no register could have shown; `nil` when all is well.
  func violation() -> String? {
    let puts = operations.filter { if case .put = $0.kind { true } else { false } }
    let written = Dictionary(grouping: puts) { $0.value ?? "" }
    for read in operations {
      guard case .read(let value?) = read.kind else { continue }
      guard let put = written[value]?.first else { return "\(read): it was never written" }
      if put.ending == .refused { return "\(read): that write was refused: \(put)" }
      if read.span.precedes(put.span) { return "\(read): it was written later: \(put)" }
      if let newer = acknowledged(after: put.span, before: read.span) {
        return
          "stale: \(read), and \(newer) had been acknowledged before it, and began after \(put)"
      }
    }
    if let read = firstLostRead() { return read }
    return RegisterSearch(operations, mayRepeat: isReplicated).violation()
  }

  /// A change that was acknowledged between `first` and `last`.
  private func acknowledged(after first: Span, before last: Span) -> RegisterOperation? {
    operations.first { operation in
      operation.isChange && operation.ending == .acknowledged && first.precedes(operation.span)
        && operation.span.precedes(last)
    }
  }

  /// A read of nothing, though something was acknowledged and nothing deleted it.
  private func firstLostRead() -> String? {
    let deletions = operations.filter { $0.kind == .delete && $0.ending != .refused }
    for read in operations where read.kind == .read(nil) {
      let put = operations.last { operation in
        operation.ending == .acknowledged && operation.value != nil
          && operation.span.precedes(read.span)
          && !deletions.contains {
            $0.span.start < read.span.end && !$0.span.precedes(operation.span)
          }
      }
      if let put { return "lost: \(read), and nothing deleted \(put)" }
    }
    return nil
  }
}

extension RegisterOperation {
  /// The value of a put.
  var value: String? { if case .put(let value) = kind { value } else { nil } }

  var isChange: Bool { if case .read = kind { false } else { true } }
}
