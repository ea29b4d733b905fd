// Finding what a person means by an ID, a name, or the beginning of one.

import Base

/// A search among things that have an ID and names.
struct Search<Thing> {
  /// What is searched for, in messages: `bucket`.
  let noun: String
  /// The code of the error when nothing is found.
  let code: String
  let things: [Thing]
  let id: (Thing) -> String
  let names: (Thing) -> [String]

  /// How much of an ID says which is meant: what is shorter is more often a slip in a name.
  private static var idPrefixMin: Int { 4 }
  /// Likewise of a name: with one or two letters some name always begins, and rights go to the wrong hands.
  private static var namePrefixMin: Int { 3 }
  /// As much of an ID as a listing shows and nobody types by mistake.
  private static var certainIDPrefixMin: Int { 8 }
  /// How many candidates a message names: it is one line.
  private static var shownMax: Int { 8 }

  /// The thing with the ID or the name `pattern`; else the one whose ID or name begins so.
  ///
  /// - Parameter isCertain: For what cannot be undone: a name counts as a whole only, and more of an ID is needed.
  /// - Throws: When there is none, or more than one.
  func find(_ pattern: String, isCertain: Bool = false) throws(AdminError) -> Thing {
    if let whole = try only(pattern, { id($0) == pattern || names($0).contains(pattern) }) {
      return whole
    }
    let length = pattern.utf8.count
    let takesID = length >= (isCertain ? Self.certainIDPrefixMin : Self.idPrefixMin)
    let takesName = !isCertain && length >= Self.namePrefixMin
    let found = try only(pattern) { thing in
      (takesID && id(thing).hasPrefix(pattern))
        || (takesName && names(thing).contains { $0.hasPrefix(pattern) })
    }
    guard let found else { throw missing(pattern) }
    return found
  }

  /// The thing that matches; `nil` when none does.
  private func only(
    _ pattern: String, _ matches: (Thing) -> Bool
  ) throws(AdminError) -> Thing? {
    let found = things.filter(matches)
    guard found.count <= 1 else { throw ambiguous(pattern, found) }
    return found.first
  }

  /// What is thrown when nothing is called `pattern`.
  func missing(_ pattern: String) -> AdminError {
    let near = NearestName.find(pattern, among: things.flatMap(names))
    let suggestion = near.map { "; did you mean \($0)?" } ?? ""
    return AdminError(404, code, "there is no \(noun) \(pattern)\(suggestion)")
  }

  private func ambiguous(_ pattern: String, _ found: [Thing]) -> AdminError {
    let shown = found.prefix(Self.shownMax).map { thing in
      let names = names(thing).joined(separator: ", ")
      return names.isEmpty ? id(thing) : "\(names) (\(id(thing).prefix(26)))"
    }
    let more = found.count > shown.count ? ", and \(found.count - shown.count) more" : ""
    return .invalid(
      "\(pattern) may mean \(found.count) \(noun)s: \(shown.joined(separator: "; "))\(more); "
        + "say more of the name or the ID")
  }
}
