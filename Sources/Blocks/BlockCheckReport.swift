// What a check of all blocks found.

/// The findings of `BlockService.check`.
package struct BlockCheckReport: Equatable, Sendable {
  /// Findings that are listed one by one; there may be millions on a lost disk.
  package static let findingsMax = 100

  package struct Finding: Equatable, Sendable {
    package enum Kind: String, Sendable {
      case fileWithoutReference = "file without reference"
      case referenceWithoutFile = "reference without file"
      case corruptFile = "corrupt file"
      case wrongCount = "wrong count"
      case strayFile = "stray file"
    }

    package var kind: Kind
    /// The block's name, or the path of a stray file.
    package var subject: String
    package var detail: String
  }

  /// Block files.
  package var files = 0
  /// What they take on the disks.
  package var fileBytes = 0
  /// Blocks with live references.
  package var referencedBlocks = 0
  /// Live references.
  package var references = 0
  /// Files that no reference points at and that wait for their deletion: not a fault.
  package var waitingForDeletion = 0
  /// Files that were set aside as damaged, now or earlier.
  package var setAside = 0

  package var filesWithoutReference = 0
  package var referencesWithoutFile = 0
  package var corruptFiles = 0
  package var wrongCounts = 0
  /// Files that are no blocks, among the blocks.
  package var strayFiles = 0
  /// The first findings.
  package var findings: [Finding] = []

  package init() {}

  /// All that is wrong.
  package var problemCount: Int {
    filesWithoutReference + referencesWithoutFile + corruptFiles + wrongCounts + strayFiles
  }

  /// Adds what was found in one part.
  mutating func add(_ part: BlockCheckReport) {
    files += part.files
    fileBytes += part.fileBytes
    referencedBlocks += part.referencedBlocks
    references += part.references
    waitingForDeletion += part.waitingForDeletion
    setAside += part.setAside
    filesWithoutReference += part.filesWithoutReference
    referencesWithoutFile += part.referencesWithoutFile
    corruptFiles += part.corruptFiles
    wrongCounts += part.wrongCounts
    strayFiles += part.strayFiles
    findings += part.findings.prefix(Self.findingsMax - findings.count)
  }

  mutating func add(_ kind: Finding.Kind, _ subject: String, _ detail: String = "") {
    switch kind {
    case .fileWithoutReference: filesWithoutReference += 1
    case .referenceWithoutFile: referencesWithoutFile += 1
    case .corruptFile: corruptFiles += 1
    case .wrongCount: wrongCounts += 1
    case .strayFile: strayFiles += 1
    }
    if findings.count < Self.findingsMax {
      findings.append(Finding(kind: kind, subject: subject, detail: detail))
    }
  }
}
