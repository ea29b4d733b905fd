// Whether what clients saw of one bucket name can be.
//
// A bucket is deleted only when it is empty, and nothing that was acknowledged may vanish with it. A deletion meets
// writers on other nodes: then the bucket may reappear, and an object that was acknowledged is there (DESIGN.md,
// section 7, "Bucket settings"). An unknown creation, deletion or upload may take effect at any time later.
//
// Invariants that are looked for:
//   1. No acknowledged deletion of a bucket in which an object was, for certain.
//   2. No answer that says "no such bucket" of one that was there, for certain.
//   3. No use of a bucket that was gone, for certain: nobody made it again or was writing when it was deleted.
//   4. No refusal as "not empty" of one that was empty, for certain.
//   5. In the end every acknowledged object is there, unless somebody deleted it: `lost`.

/// What a client did with a bucket, or learned of it.
struct BucketEvent: Sendable {
  enum Kind: Sendable, Equatable {
    case create, deleteBucket
    case put(String)
    case deleteObject(String)
    /// An answer that only a bucket can give, from what the node knows by itself.
    case seen
    /// "No such bucket".
    case denied
    /// A deletion that was refused as "not empty".
    case notEmpty
  }

  var kind: Kind
  var span: Span
  var ending = Ending.acknowledged

  var object: String? {
    switch kind {
    case .put(let key), .deleteObject(let key): key
    default: nil
    }
  }
}

/// Everything that happened to the buckets of one name, of which there was none at first.
struct BucketHistory: Sendable {
  /// Whether a node's own "yes" must be up to date: one node's is, and others follow a deletion within a gossip round.
  var isSeenExact = true
  /// Whether two creations of one name at once end in one bucket.
  ///
  /// On several nodes they need not: the later one is displaced (`name-<8 hex>`), and may claim the name again. On
  /// one node they should, and do not yet: a claim of a name is taken for forgotten by whoever's clock has gone a
  /// minute ahead of it (`Buckets.claimForgottenAfterMilliseconds`), and the first creation is acknowledged all the
  /// same. What a name means from there on is not judged, but for what is lost in the end.
  var isCreationExact = false
  private(set) var events: [BucketEvent] = []

  /// Notes an event; what was refused did not happen, and a read that was not answered says nothing.
  mutating func add(_ event: BucketEvent) {
    if event.ending == .refused || event.kind == .seen && event.ending == .unknown { return }
    events.append(event)
  }

  func violation() -> String? {
    let dispute = isCreationExact ? .max : firstDispute()
    for event in events {
      let fault: String? =
        switch event.kind {
        case _ where event.span.end > dispute: nil
        case .deleteBucket where event.ending == .acknowledged: object(in: event)
        case .denied: existence(before: event)
        case .put where event.ending == .acknowledged: absence(before: event)
        case .seen where isSeenExact: absence(before: event)
        case .notEmpty: emptiness(at: event)
        default: nil
        }
      if let fault { return "\(event.span) \(event.kind): \(fault)" }
    }
    return nil
  }

  /// Objects that were acknowledged, that nobody deleted, and that are not among `found`.
  func lost(_ found: Set<String>) -> [String] {
    let deleted = events.filter { if case .deleteObject = $0.kind { true } else { false } }
    return events.compactMap { event -> String? in
      guard case .put(let key) = event.kind, event.ending == .acknowledged, !found.contains(key),
        !deleted.contains(where: { $0.object == key })
      else { return nil }
      return key
    }
  }

  /// An object that was there when the bucket was deleted.
  private func object(in deletion: BucketEvent) -> String? {
    for put in events where put.ending == .acknowledged && put.span.precedes(deletion.span) {
      guard case .put(let key) = put.kind else { continue }
      let isDeleted = events.contains {
        $0.kind == .deleteObject(key) && $0.span.start < deletion.span.end
      }
      if !isDeleted { return "\(key) was in it, acknowledged at \(put.span)" }
    }
    return nil
  }

  /// Something that proves that the bucket was there before `denial`, with no deletion since.
  private func existence(before denial: BucketEvent) -> String? {
    let proof = events.first { proof in
      guard proof.ending == .acknowledged, proof.span.precedes(denial.span) else { return false }
      switch proof.kind {
      case .create, .put: break
      default: return false
      }
      return !events.contains {
        $0.kind == .deleteBucket && !$0.span.precedes(proof.span)
          && $0.span.start < denial.span.end
      }
    }
    return proof.map { "it was there: \($0.kind) \($0.span)" }
  }

  /// When the first two creations met: from there on the name may mean one of two buckets.
  private func firstDispute() -> Moment {
    let spans = events.filter { $0.kind == .create }.map(\.span)
    let met = spans.indices.flatMap { index in
      spans[(index + 1)...].filter { !$0.precedes(spans[index]) && !spans[index].precedes($0) }
        .map { max($0.start, spans[index].start) }
    }
    return met.min() ?? .max
  }

  /// A deletion before `use` after which nothing can have made the bucket again.
  private func absence(before use: BucketEvent) -> String? {
    let creations = events.filter { $0.kind == .create && $0.span.start < use.span.end }
    if creations.isEmpty { return "nobody had made it" }
    let deletion = events.first { deletion in
      guard deletion.kind == .deleteBucket, deletion.ending == .acknowledged,
        deletion.span.precedes(use.span),
        !creations.contains(where: { !$0.span.precedes(deletion.span) })
      else { return false }
      // A writer takes a deletion back, also one that another deletion began beside the first.
      return !events.contains { event in
        switch event.kind {
        case .put:
          event.span.start < deletion.span.end && !event.span.precedes(deletion.span)
        case .deleteBucket:
          event.span != deletion.span && event.span.start < deletion.span.end
            && !event.span.precedes(deletion.span)
        default: false
        }
      }
    }
    return deletion.map { "it was deleted at \($0.span), and nobody made it again" }
  }

  /// Why the bucket was empty during `refusal`; `nil` when something may have been in it.
  private func emptiness(at refusal: BucketEvent) -> String? {
    let isFull = events.contains { put in
      guard case .put(let key) = put.kind, put.span.start < refusal.span.end else { return false }
      return !events.contains {
        $0.kind == .deleteObject(key) && put.span.precedes($0.span)
          && $0.span.precedes(refusal.span)
      }
    }
    return isFull ? nil : "it was empty"
  }
}
