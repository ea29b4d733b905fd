// A row of an upload: an attempt to write an object or a part, or a multipart upload.
//
// The row of an attempt is durable before its first block reference is sent. While it is open and renewed,
// somebody is at work; a day after the last renewal the reaper undoes what the attempt left.

package import Base
import Codecs
package import Tables

/// An upload under way, or how it ended.
package struct UploadRow: Equatable, Sendable {
  /// How far the upload is.
  ///
  /// The raw values are on disk; the greater one wins.
  package enum State: UInt8, Sendable {
    case open = 0
    /// Undone: no replica may accept its row any more.
    case refused = 1
    /// Its row was written; a multipart upload was completed.
    case finished = 2
    /// Its row was superseded and its references are about to be released: its row may not come back.
    case retired = 3
  }

  /// What is being uploaded.
  ///
  /// The raw values are on disk.
  package enum Purpose: UInt8, Sendable {
    case object = 0
    case part = 1
    case multipart = 2
  }

  /// What an attempt to write a part belongs to.
  package struct PartOf: Equatable, Sendable {
    package var multipart: UploadID
    package var number: UInt16

    package init(multipart: UploadID, number: UInt16) {
      self.multipart = multipart
      self.number = number
    }
  }

  /// Of the last renewal, or of the end.
  package var timestamp: Timestamp
  package var state: State
  package var purpose: Purpose
  package var begun: WallTime
  /// Of a part: the multipart upload that it belongs to, and its number.
  package var part: PartOf?
  /// What an object will carry that is uploaded in parts; empty for other uploads and after the end.
  package var metadata = ObjectMetadata()
  package var trailing: [UInt8] = []

  /// Whether a replica that has this row takes the upload's version or part.
  var isRefused: Bool { state == .refused || state == .retired }

  /// What a replica that was told of both rows holds: the row of the greater state, with the later time.
  static func merged(_ a: UploadRow, _ b: UploadRow) -> UploadRow {
    var winner = b.beats(a) ? b : a
    winner.timestamp = max(a.timestamp, b.timestamp)
    return winner
  }

  /// Whether this row stays when `other` was written too.
  ///
  /// Within one state only the times differ, unless a node is faulty; what is chosen then must not depend
  /// on the times, which the merge mixes.
  private func beats(_ other: UploadRow) -> Bool {
    if state != other.state { return state.rawValue > other.state.rawValue }
    var left = other
    var right = self
    left.timestamp = .zero
    right.timestamp = .zero
    return left.encoded.lexicographicallyPrecedes(right.encoded)
  }

  /// The row of the ended upload.
  func ended(_ state: State, at timestamp: Timestamp) -> UploadRow {
    var row = UploadRow(
      timestamp: max(timestamp, self.timestamp), state: state, purpose: purpose, begun: begun,
      part: part)
    row.trailing = trailing
    return row
  }

  private var encoded: [UInt8] {
    var writer = BinaryWriter()
    write(to: &writer)
    return writer.bytes
  }

  func write(to writer: inout BinaryWriter) {
    writer.timestamp(timestamp)
    writer.u8(state.rawValue)
    writer.u8(purpose.rawValue)
    writer.signed(begun.milliseconds)
    if purpose == .part {
      writer.id(part?.multipart ?? UploadID(high: 0, low: 0))
      writer.u16(part?.number ?? 0)
    }
    if state == .open, purpose == .multipart { metadata.write(to: &writer) }
    writer.raw(trailing)
  }

  package init(
    timestamp: Timestamp, state: State = .open, purpose: Purpose, begun: WallTime,
    part: PartOf? = nil, metadata: ObjectMetadata = ObjectMetadata()
  ) {
    self.part = part
    self.timestamp = timestamp
    self.state = state
    self.purpose = purpose
    self.begun = begun
    self.metadata = metadata
  }

  init(from reader: inout BinaryReader) throws(BinaryError) {
    timestamp = try reader.timestamp()
    guard let state = State(rawValue: try reader.u8()),
      let purpose = Purpose(rawValue: try reader.u8())
    else { throw .invalidValue }
    self.state = state
    self.purpose = purpose
    begun = WallTime(milliseconds: try reader.signed())
    if purpose == .part {
      part = PartOf(multipart: try reader.id(), number: try reader.u16())
    }
    if state == .open, purpose == .multipart { metadata = try ObjectMetadata(from: &reader) }
    trailing = reader.remaining()
  }
}
