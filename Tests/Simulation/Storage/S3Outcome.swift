// What a client knows after a request: the ground on which every checker stands.
//
// A write that was answered 2xx is done, one that was answered 4xx was not and never will be. After anything else (5xx,
// silence, a broken connection) nobody knows: it may have happened, not, or may yet happen (DESIGN.md, section 7).

/// What became of a request.
enum S3Outcome<Value: Sendable>: Sendable {
  case done(Value)
  /// Not done, and never will be: 4xx, or a node that could not even be dialled.
  case refused(S3Refusal)
  /// Done, not done, or to be done later.
  case unknown(String)

  func map<Other>(_ change: (Value) -> Other) -> S3Outcome<Other> {
    switch self {
    case .done(let value): .done(change(value))
    case .refused(let refusal): .refused(refusal)
    case .unknown(let reason): .unknown(reason)
    }
  }

  /// The value of what was done.
  var value: Value? { if case .done(let value) = self { value } else { nil } }

  /// The code of a refusal.
  var code: String? { if case .refused(let refusal) = self { refusal.code } else { nil } }

  /// How a history notes it.
  var ending: Ending {
    switch self {
    case .done: .acknowledged
    case .refused: .refused
    case .unknown: .unknown
    }
  }

  /// A few words for the trace.
  var text: String {
    switch self {
    case .done(let value): value is Void ? "done" : "\(value)"
    case .refused(let refusal): "refused, \(refusal.code)"
    case .unknown(let reason): "unknown, \(reason)"
    }
  }
}

/// Why a request was refused.
struct S3Refusal: Sendable {
  /// 0 when there was no answer, as nothing was sent.
  var status: Int
  /// The code of the error document; `notDialled` when nothing was sent.
  var code: String

  static let notDialled = "NotDialled"
}

/// How a change of a history ended.
enum Ending: Sendable {
  case acknowledged, refused, unknown
}

/// A place in the order of what clients saw: each beginning and each end of a request has its own.
///
/// Virtual time would not do: much happens in one instant, and is in order all the same.
typealias Moment = Int

/// From the sending of a request to its answer.
///
/// `end` is `.max` for a change whose outcome is unknown: it may yet happen.
struct Span: Sendable, Equatable {
  var start: Moment
  var end: Moment

  init(_ start: Moment, _ end: Moment) {
    self.start = start
    self.end = end
  }

  /// Whether it ended before `other` began.
  func precedes(_ other: Span) -> Bool { end < other.start }
}

extension Span: CustomStringConvertible {
  var description: String { "[\(start), \(end == .max ? "..." : "\(end)")]" }
}
