// Whether what clients saw of a bucket with a quota of objects can be.
//
// A quota is checked before the row is sent, so that near the limit several writers may pass it by what is under way
// (DESIGN.md, section 7, "Quotas"). On one node nothing is counted late: an upload that begins when the bucket is
// full for certain is refused, and none is refused that has room for certain.

/// What happened to the objects of one bucket, each of which is written once.
struct QuotaHistory: Sendable {
  var objectsMax: Int
  /// Whether nothing is counted late.
  var isExact: Bool
  private var puts: [(key: String, span: Span, ending: Ending)] = []
  private var deletions: [String: [(span: Span, ending: Ending)]] = [:]
  private var refusals: [Span] = []

  init(objectsMax: Int, isExact: Bool) {
    self.objectsMax = objectsMax
    self.isExact = isExact
  }

  mutating func put(_ key: String, _ span: Span, _ ending: Ending) {
    if ending != .refused { puts.append((key, span, ending)) }
  }

  mutating func delete(_ key: String, _ span: Span, _ ending: Ending) {
    if ending != .refused { deletions[key, default: []].append((span, ending)) }
  }

  /// Notes an upload that was refused because of the quota.
  mutating func refuse(_ span: Span) { refusals.append(span) }

  func violation() -> String? {
    for put in puts where put.ending == .acknowledged {
      let certain = certain(during: put.span)
      let underWay = isExact ? 0 : underWay(beside: put.key, put.span)
      if certain >= objectsMax + underWay {
        return
          "\(put.key) was taken at \(put.span), when the bucket held \(certain) of \(objectsMax)"
          + " and \(underWay) were under way"
      }
    }
    for refusal in refusals where isExact {
      let possible = possible(during: refusal)
      if possible < objectsMax {
        return "the quota refused at \(refusal), when the bucket held \(possible) of \(objectsMax)"
      }
    }
    return nil
  }

  /// Objects that were there during all of `span`, for certain.
  private func certain(during span: Span) -> Int {
    puts.count { put in
      put.ending == .acknowledged && put.span.precedes(span)
        && !(deletions[put.key] ?? []).contains { $0.span.start < span.end }
    }
  }

  /// Objects that may have been there at some time during `span`.
  private func possible(during span: Span) -> Int {
    puts.count { put in
      put.span.start < span.end
        && !(deletions[put.key] ?? []).contains {
          $0.ending == .acknowledged && put.span.precedes($0.span) && $0.span.precedes(span)
        }
    }
  }

  /// Other uploads that may have taken effect during `span`.
  private func underWay(beside key: String, _ span: Span) -> Int {
    puts.count { $0.key != key && $0.span.start < span.end && !$0.span.precedes(span) }
  }
}
