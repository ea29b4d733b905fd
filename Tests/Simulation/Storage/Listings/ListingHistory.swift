// Whether a page of a listing can be what a set of keys looked like.
//
// A page is judged by its own request alone: a key that was there during all of it, and lies between the first and
// the last entry that the page covers, must be on it; one that was absent during all of it must not; of a key that
// changed meanwhile, or may yet change, either is right. A common prefix is there as long as any key below it is. So
// the pages of one listing need not be of one moment, as no promise says so.

/// A change of a key that was not refused.
struct KeyChange: Sendable {
  var isPut: Bool
  /// Ends at `.max` when its outcome is unknown: it may yet take effect.
  var span: Span
}

/// The changes of a set of keys, which was empty at first.
struct ListingHistory: Sendable {
  enum Presence { case present, absent, either }

  private var changes: [String: [KeyChange]] = [:]

  mutating func add(_ key: String, _ change: KeyChange) { changes[key, default: []].append(change) }

  /// Whether `key` was there during all of `span`.
  ///
  /// What counts are the changes that may be the last: those that began before the end, and that no other, ended
  /// before the beginning, came after.
  func presence(of key: String, during span: Span) -> Presence {
    let begun = (changes[key] ?? []).filter { $0.span.start < span.end }
    let settled = begun.filter { $0.span.precedes(span) }
    let last = begun.filter { change in !settled.contains { change.span.precedes($0.span) } }
    let isThere = last.contains { $0.isPut }
    let isGone = last.contains { !$0.isPut } || settled.isEmpty
    return isThere ? (isGone ? .either : .present) : .absent
  }

  /// What was asked for.
  struct Question: Sendable {
    var prefix: String
    /// Empty for none.
    var delimiter: String
    var keysMax: Int
  }

  /// A page, with the last entry of the one before.
  struct Page: Sendable {
    var question: Question
    /// Entries behind which the page begins: none on the first.
    var after: String?
    var keys: [String]
    var commonPrefixes: [String]
    var isLast: Bool
    var span: Span

    /// Keys and common prefixes, as they follow each other.
    var entries: [String] { (keys + commonPrefixes).sorted() }
  }

  /// The entry under which a question shows `key`; `nil` when it shows it not at all.
  static func entry(of key: String, _ question: Question) -> String? {
    guard key.hasPrefix(question.prefix) else { return nil }
    guard !question.delimiter.isEmpty else { return key }
    let pieces = key.dropFirst(question.prefix.count).split(
      separator: question.delimiter, maxSplits: 1, omittingEmptySubsequences: false)
    return pieces.count == 1 ? key : question.prefix + pieces[0] + question.delimiter
  }

  /// What is wrong with a page; `nil` when all is well.
  func violation(of page: Page) -> String? {
    if let fault = Self.form(of: page) { return "\(page): \(fault)" }
    let end = page.isLast ? nil : page.entries.last
    /// Entries that the page must show and those that it may, by the keys below them.
    var (required, allowed): (Set<String>, Set<String>) = ([], [])
    for key in changes.keys.sorted() {
      guard let entry = Self.entry(of: key, page.question), page.after.map({ entry > $0 }) ?? true,
        end.map({ entry <= $0 }) ?? true
      else { continue }
      switch presence(of: key, during: page.span) {
      case .present:
        required.insert(entry)
        allowed.insert(entry)
      case .either: allowed.insert(entry)
      case .absent: break
      }
    }
    let shown = Set(page.entries)
    if let missing = required.subtracting(shown).sorted().first {
      return "\(page): \(missing) is missing: \(history(below: missing, page))"
    }
    if let extra = shown.subtracting(allowed).sorted().first {
      return "\(page): \(extra) is not there: \(history(below: extra, page))"
    }
    return nil
  }

  /// The last changes that began before the end of a page, of the keys below an entry.
  private func history(below entry: String, _ page: Page) -> String {
    let keys = changes.keys.filter { Self.entry(of: $0, page.question) == entry }.sorted()
    let lines = keys.map { key in
      let begun = (changes[key] ?? []).filter { $0.span.start < page.span.end }.suffix(4)
      return "\(key) "
        + begun.map { "\($0.isPut ? "put" : "deleted") \($0.span)" }.joined(separator: ", ")
    }
    return lines.joined(separator: "; ")
  }

  /// What is wrong with a page whatever the keys are.
  private static func form(of page: Page) -> String? {
    let entries = page.entries
    if page.keys != page.keys.sorted() || page.commonPrefixes != page.commonPrefixes.sorted() {
      return "it is in no order"
    }
    if Set(entries).count != entries.count { return "an entry is there twice" }
    if entries.count > page.question.keysMax { return "it has too many entries" }
    if entries.isEmpty, !page.isLast { return "it is empty, and not the last" }
    if let after = page.after, let first = entries.first, first <= after {
      return "\(first) was on the page before, or belongs there"
    }
    if let key = page.keys.first(where: { entry(of: $0, page.question) != $0 }) {
      return "\(key) is no entry of its own"
    }
    return nil
  }
}

extension ListingHistory.Page: CustomStringConvertible {
  var description: String {
    "\(span) prefix '\(question.prefix)' delimiter '\(question.delimiter)'"
      + " at most \(question.keysMax)"
      + " after \(after ?? "the beginning") \(entries)\(isLast ? " (the last)" : "")"
  }
}
