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
  /// How many candidates a message names: it is one line.
  private static var shownMax: Int { 8 }

  /// The thing with the ID or the name `pattern`; else the one whose ID or name begins so.
  ///
  /// - Throws: When there is none, or more than one.
  func find(_ pattern: String) throws(AdminError) -> Thing {
    for match in [{ $0 == pattern }, { $0.hasPrefix(pattern) }] as [(String) -> Bool] {
      let found = things.filter { thing in
        (match(id(thing)) && pattern.utf8.count >= Self.idPrefixMin)
          || names(thing).contains(where: match)
      }
      if let only = found.first, found.count == 1 { return only }
      if !found.isEmpty { throw ambiguous(pattern, found) }
    }
    throw missing(pattern)
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
