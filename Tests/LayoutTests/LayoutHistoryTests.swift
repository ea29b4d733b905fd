// Versions that are linked, one after the other.

import Base
import Codecs
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
    let read = try LayoutHistory(decoding: history.encoded)
    #expect(read == history && read.encoded == history.encoded)
  }

  @Test func golden() throws {
    let version = try first([1: storage("a", 1)]).encoded
    #expect(version.count == 367)
    #expect(
      try history(versions(1)).encoded
        == [1] + cluster.bytes + [1, 0xEF, 0x02] + version)
    #expect(LayoutHistory(cluster: cluster).encoded == [1] + cluster.bytes + [0])
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

  /// A history whose links do not hold is none, on whatever disk it was.
  @Test func brokenLinksAreNotRead() throws {
    let versions = try versions(3)
    func error(_ versions: LayoutVersion..., of cluster: ClusterID = cluster) -> BinaryError? {
      var writer = BinaryWriter()
      writer.version(1)
      writer.id(cluster)
      writer.list(versions) { $0.bytes($1.encoded) }
      do throws(BinaryError) {
        _ = try LayoutHistory(decoding: writer.bytes)
        return nil
      } catch {
        return error
      }
    }
    #expect(error(versions[0], versions[1], versions[2]) == nil)
    #expect(error(versions[0], versions[2]) == .invalidValue)
    #expect(error(versions[1]) == .invalidValue)
    #expect(error(versions[0], versions[0]) == .invalidValue)
    #expect(error(versions[0], of: id(0xC1)) == .invalidValue)
    // The version before has other bytes, and so another hash.
    let later = try LayoutVersion(decoding: versions[0].encoded + [1])
    #expect(error(later, versions[1]) == .invalidValue)
  }

  @Test func fieldsOfALaterVersionAreKept() throws {
    let bytes = try history(versions(2)).encoded + [1, 2, 3]
    var history = try LayoutHistory(decoding: bytes)
    #expect(history.encoded == bytes)
    try history.append(versions(3)[2])
    #expect(history.encoded.suffix(3) == [1, 2, 3] && history.versions.count == 3)
    #expect(throws: BinaryError.unknownVersion(2)) {
      try LayoutHistory(decoding: [2] + bytes.dropFirst())
    }
    #expect(throws: BinaryError.truncated) { try LayoutHistory(decoding: Array(bytes.prefix(99))) }
  }

  @Test func aFullHistoryTakesNoMore() throws {
    var history = LayoutHistory(cluster: cluster)
    var version = try first([1: storage("a", 1)])
    // Later fields, so that a few versions fill it.
    let trailing = [UInt8](repeating: 7, count: 1 << 20 - 1000)
    var refusal: LayoutRefusal?
    while refusal == nil {
      version = try LayoutVersion(decoding: version.encoded + trailing)
      do throws(LayoutRefusal) {
        try history.append(version)
        var draft = LayoutDraft(changing: version)
        draft.assign(storage("a", version.number + 1), to: id(1))
        version = try draft.apply(under: [])
      } catch {
        refusal = error
      }
    }
    #expect(refusal == .historyFull && history.versions.count == 4)
    #expect(history.encoded.count <= LayoutLimits.historyBytesMax)
    #expect(try LayoutHistory(decoding: history.encoded) == history)
    #expect(throws: BinaryError.overLimit) {
      try LayoutHistory(decoding: history.encoded + trailing)
    }
  }
}
