// Where an object's bytes are (docs/formats/objects.md).

package import Base

/// A block of an object.
package struct BlockEntry: Equatable, Sendable {
  package var hash: BlockHash
  package var sizeBytes: UInt32

  package init(hash: BlockHash, sizeBytes: UInt32) {
    self.hash = hash
    self.sizeBytes = sizeBytes
  }
}

/// Where the bytes of an object or a part are.
package enum ObjectContent: Equatable, Sendable {
  /// In the row itself.
  case inline([UInt8])
  /// In these blocks, of which the row lists all.
  case blocks([BlockEntry])
  /// In blocks that manifest rows list, under the upload ID of the row.
  case manifest
}

/// Consecutive parts of one size.
package struct PartRun: Equatable, Sendable {
  /// The number of the first part; the others follow without a gap.
  package var first: UInt16
  package var count: UInt16
  /// The size of each part.
  package var sizeBytes: UInt64
  /// The size of each block of a part but its last.
  package var blockBytes: UInt32

  package init(first: UInt16, count: UInt16, sizeBytes: UInt64, blockBytes: UInt32) {
    self.first = first
    self.count = count
    self.sizeBytes = sizeBytes
    self.blockBytes = blockBytes
  }
}

/// The parts of an object in order.
///
/// Runs of equal parts are one entry, so that the usual 10,000 parts of one size take as little
/// room in a row as one part does.
package struct PartLayout: Equatable, Sendable {
  package var runs: [PartRun]

  /// The parts of `runs`; none by default.
  package init(_ runs: [PartRun] = []) { self.runs = runs }

  var count: Int { runs.reduce(0) { $0 + Int($1.count) } }

  /// Adds a part behind the others; its number must be above theirs.
  package mutating func append(number: UInt16, sizeBytes: UInt64, blockBytes: UInt32) {
    if let last = runs.last, last.sizeBytes == sizeBytes, last.blockBytes == blockBytes,
      UInt32(last.first) + UInt32(last.count) == UInt32(number)
    {
      runs[runs.count - 1].count += 1
    } else {
      runs.append(
        PartRun(first: number, count: 1, sizeBytes: sizeBytes, blockBytes: blockBytes))
    }
  }

  /// How many parts are before the one with `number`; `nil` when there is none.
  func index(of number: Int) -> Int? {
    var before = 0
    for run in runs {
      let index = number - Int(run.first)
      if index >= 0, index < Int(run.count) { return before + index }
      before += Int(run.count)
    }
    return nil
  }

  /// Where the part with `number` lies in the object.
  func range(of number: Int) -> Range<UInt64>? {
    var start: UInt64 = 0
    for run in runs {
      let index = number - Int(run.first)
      if index >= 0, index < Int(run.count) {
        let lower = start &+ UInt64(index) &* run.sizeBytes
        return lower..<(lower &+ run.sizeBytes)
      }
      start &+= UInt64(run.count) &* run.sizeBytes
    }
    return nil
  }
}
