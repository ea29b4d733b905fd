// Versions that are linked, one after the other.

import Base
import Layout
import Testing

@Suite struct LayoutHistoryTests {
  /// Versions 1 to `count`, which differ in a capacity.
  private func versions(_ count: Int) throws -> [LayoutVersion] {
    var versions = [try first([1: storage("a", 1)])]
    while versions.count < count {
      var draft = LayoutDraft(changing: versions[versions.count - 1])
      draft.assign(storage("a", UInt64(versions.count) + 1), to: id(1))
      versions.append(try draft.apply(under: []))
    }
    return versions
  }

  private func history(_ versions: [LayoutVersion]) throws(LayoutRefusal) -> LayoutHistory {
    var history = LayoutHistory(cluster: cluster)
    for version in versions { try history.append(version) }
    return history
  }

  @Test func versionsFollowEachOther() throws {
    let versions = try versions(5)
    let history = try history(versions)
    #expect(history.versions == versions && history.current == versions[4])
    #expect(LayoutHistory(cluster: cluster).current == nil)
  }

  /// What cannot be appended leaves everything as it was.
  private func expect(
    _ refusal: LayoutRefusal, of version: LayoutVersion, after versions: ArraySlice<LayoutVersion>,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let before = try history(Array(versions))
    var after = before
    #expect(throws: refusal, sourceLocation: sourceLocation) { try after.append(version) }
    #expect(after == before, sourceLocation: sourceLocation)
  }

  @Test func gapsAndRepetitionsAreRefused() throws {
    let versions = try versions(4)
    try expect(.notNext(number: 2, expected: 1), of: versions[1], after: [])
    try expect(.notNext(number: 4, expected: 3), of: versions[3], after: versions[..<2])
    try expect(.notNext(number: 2, expected: 3), of: versions[1], after: versions[..<2])
    try expect(.notNext(number: 1, expected: 3), of: versions[0], after: versions[..<2])
  }

  @Test func anotherPredecessorIsRefused() throws {
    let versions = try versions(2)
    var draft = LayoutDraft(changing: try first([1: storage("b", 1)]))
    draft.assign(gateway("b"), to: id(2))
    try expect(.otherPredecessor, of: try draft.apply(under: []), after: versions[..<1])
  }

  @Test func anotherClusterIsRefused() throws {
    var draft = LayoutDraft(cluster: id(0xC1))
    draft.assign(storage("a", 1), to: id(1))
    let version = try draft.apply(under: [])
    try expect(.otherCluster, of: version, after: [])
    try expect(.otherCluster, of: version, after: versions(1)[...])
  }

  /// The version before has other bytes, and so another hash.
  @Test func laterFieldsAreWhatTheNextOneWasMadeFrom() throws {
    let versions = try versions(2)
    let later = try LayoutVersion(decoding: versions[0].encoded + [1])
    try expect(.otherPredecessor, of: versions[1], after: [later])
  }
}
