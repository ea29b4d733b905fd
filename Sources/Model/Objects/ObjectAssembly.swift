// Makes an object of blocks that are stored already: of the parts of a multipart upload, or of another object.
//
// The object gets references and manifest rows of its own, under an upload ID of its own: what the blocks came
// from may go the next moment.

import Base
import Blocks
import Tables

/// An attempt to write an object whose blocks are stored.
///
/// It belongs to one task.
final class ObjectAssembly {
  /// A stored run of bytes: a part, or an object that was not uploaded in parts.
  struct Piece {
    /// As in the manifest rows, both those that are read and those that are written.
    var number: UInt16
    /// Under which the manifest rows are.
    var uploadID: UploadID
    var sizeBytes: UInt64
    var content: ObjectContent
  }

  /// References taken in one transaction, and blocks of manifest rows written in one: a few milliseconds of the
  /// writer's time, and one sync for many small parts.
  private static let blocksAtOnce = 256

  let session: UploadSession
  private let parts: StoreParts
  private var hasSentEntry = false

  init(_ parts: StoreParts, bucket: Bucket, key: ObjectKey) {
    self.parts = parts
    session = UploadSession(parts, bucket: bucket, key: key, purpose: .object)
  }

  /// From here on the attempt is not undone by its coordinator.
  ///
  /// - Throws: as `UploadSession.requireAlive`.
  func willSendEntry() throws(ModelError) {
    try session.requireAlive()
    hasSentEntry = true
  }

  /// Gives up because of `error`, unless the entry may have taken effect.
  func abandon(after error: any Error) async {
    let isRefused = (error as? ModelError)?.isRefusal ?? false
    if !hasSentEntry || isRefused { await session.undo() }
  }

  /// Takes references of all blocks of `pieces`, and says where the object's bytes are.
  ///
  /// Whoever calls makes sure afterwards that the rows which held the blocks were still there.
  func assemble(_ pieces: [Piece]) async throws -> ObjectContent {
    try await session.open().value
    if let blocks = Self.fewBlocks(of: pieces) {
      try await reference(blocks)
      return .blocks(blocks)
    }
    var gathered: [BlockEntry] = []
    var manifest: [([UInt8], [BlockEntry])] = []
    for piece in pieces {
      try await forEachChunk(of: piece) { chunk, blocks in
        if gathered.count + blocks.count > Self.blocksAtOnce {
          try await store(gathered, manifest)
          gathered.removeAll(keepingCapacity: true)
          manifest.removeAll(keepingCapacity: true)
        }
        gathered += blocks
        manifest.append((ManifestRow.sortKey(part: piece.number, chunk: chunk), blocks))
      }
    }
    try await store(gathered, manifest)
    return .manifest
  }

  private func store(_ blocks: [BlockEntry], _ manifest: [([UInt8], [BlockEntry])]) async throws {
    try await reference(blocks)
    try await write(manifest)
    try await session.renewIfDue()
  }

  /// All blocks, if they are few enough for the version row.
  private static func fewBlocks(of pieces: [Piece]) -> [BlockEntry]? {
    var all: [BlockEntry] = []
    for piece in pieces {
      guard case .blocks(let blocks) = piece.content,
        all.count + blocks.count <= BlockPipeline.blocksInRowMax
      else { return nil }
      all += blocks
    }
    return all
  }

  private func forEachChunk(
    of piece: Piece, _ body: (UInt32, [BlockEntry]) async throws -> Void
  ) async throws {
    switch piece.content {
    case .inline: throw ModelError.corrupt(reason: "piece \(piece.number) has bytes in its row")
    case .blocks(let blocks): try await body(0, blocks)
    case .manifest:
      var size: UInt64 = 0
      var chunk: UInt32 = 0
      while size < piece.sizeBytes {
        let key = ManifestRow.key(piece.uploadID, part: piece.number, chunk: chunk)
        guard let manifest = try await parts.manifests.get(key), !manifest.blocks.isEmpty else {
          throw ModelError.sourceChanged
        }
        size += manifest.blocks.reduce(0) { $0 + UInt64($1.sizeBytes) }
        try await body(chunk, manifest.blocks)
        chunk += 1
      }
    }
  }

  /// Takes a reference of each block for this attempt.
  ///
  /// The files are there: the row of the piece, read a moment ago, holds references of the same blocks; if it lost
  /// them since, the files still stay for the release delay and ten minutes more. So the reference alone is
  /// written, many in a transaction, and no file is read again.
  private func reference(_ blocks: [BlockEntry]) async throws {
    var rest = blocks[...]
    while !rest.isEmpty {
      let batch = Array(Set(rest.prefix(Self.blocksAtOnce).map(\.hash))).sorted()
      rest = rest.dropFirst(Self.blocksAtOnce)
      try await reference(batch)
    }
  }

  private func reference(_ hashes: [BlockHash]) async throws {
    let owner = session.owner
    let keys = hashes.map { BlockReferenceKey(hash: $0, upload: session.id).rowKey }
    switch try await parts.blocks.references.write(keys, { BlockReference(.live(owner), at: $0) }) {
    case .accepted: return
    case .stale: throw ModelError.writeRefused
    case .refused: throw ModelError.clockTooFar
    }
  }

  private func write(_ rows: [([UInt8], [BlockEntry])]) async throws {
    guard !rows.isEmpty else { return }
    let owner = RowKey(
      partitionKey: session.owner.partitionKey, sortKey: session.owner.sortKey)
    try await parts.merge(parts.manifests, partitionKey: session.id.bytes) { now in
      rows.map { ($0.0, ManifestRow(timestamp: now, owner: owner, blocks: $0.1)) }
    }
  }
}
