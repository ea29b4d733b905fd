// From a run of bytes, in whatever pieces it comes, to frames.
//
// Frames that lie whole in a piece are handed over where they lie. Of one that does not, the beginning is kept, at most
// one frame's bytes: a peer that sends half a frame and falls silent holds no more.

/// Takes frames apart.
package struct FrameParser: Sendable {
  private var kept: [UInt8] = []

  package init() {}

  /// Whether a part of a frame is held.
  package var holdsPart: Bool { !kept.isEmpty }

  /// Calls `body` with each frame that `bytes` completes, in order; the payload is valid only in the call.
  ///
  /// - Throws: `MeshError.violation`, and what `body` throws.
  package mutating func parse(
    _ bytes: UnsafeRawBufferPointer,
    _ body: (FrameHead, UnsafeRawBufferPointer) throws(MeshError) -> Void
  ) throws(MeshError) {
    var rest = bytes
    if !kept.isEmpty {
      guard try complete(with: &rest, body) else { return }
    }
    while let (head, payload) = try Self.frame(in: rest) {
      try body(head, payload)
      rest = UnsafeRawBufferPointer(rebasing: rest[(FrameHead.byteCount + payload.count)...])
    }
    kept.append(contentsOf: rest)
  }

  /// Completes the frame that was begun; `false` when `rest` ends within it.
  private mutating func complete(
    with rest: inout UnsafeRawBufferPointer,
    _ body: (FrameHead, UnsafeRawBufferPointer) throws(MeshError) -> Void
  ) throws(MeshError) -> Bool {
    take(FrameHead.byteCount - kept.count, from: &rest)
    guard kept.count >= FrameHead.byteCount else { return false }
    let head = try kept.withUnsafeBufferPointer { bytes throws(MeshError) in
      try FrameHead(
        UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[..<FrameHead.byteCount]))
    }
    take(FrameHead.byteCount + head.payloadBytes - kept.count, from: &rest)
    guard kept.count == FrameHead.byteCount + head.payloadBytes else { return false }
    let frame = kept
    kept = []
    try frame.withUnsafeBufferPointer { bytes throws(MeshError) in
      let payload = UnsafeRawBufferPointer(bytes)[FrameHead.byteCount...]
      try body(head, UnsafeRawBufferPointer(rebasing: payload))
    }
    return true
  }

  private mutating func take(_ wanted: Int, from rest: inout UnsafeRawBufferPointer) {
    let count = min(max(wanted, 0), rest.count)
    guard count > 0 else { return }
    kept.append(contentsOf: rest.prefix(count))
    rest = UnsafeRawBufferPointer(rebasing: rest[count...])
  }

  private static func frame(
    in bytes: UnsafeRawBufferPointer
  ) throws(MeshError) -> (FrameHead, UnsafeRawBufferPointer)? {
    guard bytes.count >= FrameHead.byteCount else { return nil }
    let head = try FrameHead(UnsafeRawBufferPointer(rebasing: bytes[..<FrameHead.byteCount]))
    let end = FrameHead.byteCount + head.payloadBytes
    guard bytes.count >= end else { return nil }
    return (head, UnsafeRawBufferPointer(rebasing: bytes[FrameHead.byteCount..<end]))
  }
}
