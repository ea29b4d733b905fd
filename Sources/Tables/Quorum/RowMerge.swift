// One row as several replicas have it.

/// The merge of replicas' rows of one key.
struct RowMerge<Schema: TableSchema> {
  var row: Schema.Row
  var bytes: [UInt8]
  /// Whether a replica has something else, or nothing.
  var isDisputed: Bool

  /// Merges what each replica has at the key; `nil` when none has anything.
  init?(_ schema: Schema, _ answers: [[UInt8]?]) throws {
    var merged: (row: Schema.Row, bytes: [UInt8])?
    for case let bytes? in answers where merged?.bytes != bytes {
      let row = try bytes.withUnsafeBytes { try schema.decode($0) }
      if let held = merged {
        let both = schema.merge(held.row, row)
        merged = (both, schema.encode(both))
      } else {
        merged = (row, bytes)
      }
    }
    guard let merged else { return nil }
    row = merged.row
    bytes = merged.bytes
    isDisputed = answers.contains { $0 != merged.bytes }
  }
}
