// Reading and writing whole arrays.

import Base
import Reactor

nonisolated(nonsending) func read(
  _ stream: any ByteStream, deadline: MonotonicInstant = .distantFuture
) async throws -> [UInt8] {
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 1)
  defer { buffer.deallocate() }
  let count = try await stream.read(into: buffer, deadline: deadline)
  return [UInt8](UnsafeRawBufferPointer(buffer).prefix(count))
}

nonisolated(nonsending) func readAll(_ stream: any ByteStream) async throws -> [UInt8] {
  var all: [UInt8] = []
  while true {
    let piece = try await read(stream)
    if piece.isEmpty { return all }
    all += piece
  }
}

nonisolated(nonsending) func write(
  _ bytes: [UInt8], to stream: any ByteStream, deadline: MonotonicInstant = .distantFuture
) async throws {
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
  defer { buffer.deallocate() }
  buffer.copyBytes(from: bytes)
  try await stream.write(UnsafeRawBufferPointer(buffer), deadline: deadline)
}

/// Listens on `port` of all addresses, and sends back what comes.
nonisolated(nonsending) func echo(on network: any Network, port: UInt16 = 4000) async throws {
  let listener = try network.listen(.ipv4(address: 0, port: port))
  await listener.serve(limit: 100, logger: .disabled) { stream in
    do {
      while true {
        let bytes = try await read(stream)
        if bytes.isEmpty { return }
        try await write(bytes, to: stream)
      }
    } catch {}
  }
}
