// Numbers about blocks for `/metrics`.

import Base

/// What the block layer counts.
struct BlockMetrics: Sendable {
  let written: Counter
  let writtenBytes: Counter
  let deduplicated: Counter
  let readBytes: Counter
  let readsFromCache: Counter
  let readsFromDisk: Counter
  let corrupt: Counter
  let deleted: Counter

  init(_ registry: MetricsRegistry, buffers: BlockBuffers, directories: DataDirectories) {
    written = registry.counter("grange_block_writes_total", "Block files written.")
    writtenBytes = registry.counter(
      "grange_block_written_bytes_total", "Bytes of written blocks, before compression.")
    deduplicated = registry.counter(
      "grange_block_deduplicated_total", "Blocks that were stored already when they came.")
    readBytes = registry.counter("grange_block_read_bytes_total", "Bytes of blocks read.")
    let help = "Reads of blocks, by where the bytes came from."
    readsFromCache = registry.counter("grange_block_reads_total", help, labels: ["from": "cache"])
    readsFromDisk = registry.counter("grange_block_reads_total", help, labels: ["from": "disk"])
    corrupt = registry.counter("grange_block_corrupt_total", "Damaged block files set aside.")
    deleted = registry.counter("grange_block_deletions_total", "Blocks deleted.")
    registry.computed("grange_block_buffer_bytes", "Memory of blocks on their way.") {
      Double(buffers.usedBytes)
    }
    registry.computed("grange_block_room_bytes", "Room for more blocks, less the reserve.") {
      Double(directories.lastRoomBytes)
    }
  }
}
