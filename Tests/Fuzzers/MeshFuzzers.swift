// What another node can send: hellos, frames, and a connection's worth of them.

import Base
import Codecs
import Mesh
import SimulatedWorld

extension Fuzzer {
  /// The input is a hello; then the payload of an open frame.
  static let hello = Fuzzer("hello", of: ["Mesh/Frames/Hello", "Mesh/Frames/Payloads"]) { input in
    let hello = try? BinaryReader.read(input) { (reader: inout BinaryReader) throws(BinaryError) in
      try Hello(&reader)
    }
    if let hello { try require(hello.encoded() == input, "written again: \(hex(hello.encoded()))") }
    let head = try? BinaryReader.read(input) { (reader: inout BinaryReader) throws(BinaryError) in
      (try OpenHead(&reader), reader.remaining())
    }
    if let (head, rest) = head {
      var writer = BinaryWriter()
      head.write(to: &writer)
      try require(writer.bytes + rest == input, "written again: \(hex(writer.bytes))")
    }
  }

  /// The input is what a peer says on a live connection.
  static let conversations = Fuzzer(
    "conversations",
    of: ["Mesh/Connections/MeshConnection+Running", "Mesh/Connections/MeshStream"],
    changesMax: 300
  ) { input in try converse(input) }

  /// The input is a run of frames, whole and in pieces.
  static let frames = Fuzzer("frames", of: ["Mesh/Frames/Frame", "Mesh/Frames/FrameParser"]) {
    input in
    let whole = parsed(input, pieces: [input.count])
    let random = choices(input)
    var pieces: [Int] = []
    while pieces.reduce(0, +) < input.count { pieces.append(1 + random.below(20)) }
    try require(parsed(input, pieces: pieces) == whole, "other frames in pieces \(pieces)")
    var written: [UInt8] = []
    for frame in whole.frames {
      frame.head.append(to: &written)
      written += frame.payload
    }
    try require(input.starts(with: written), "frames are written otherwise")
  }

  private struct ParsedFrames: Equatable {
    struct Frame: Equatable {
      var head: FrameHead
      var payload: [UInt8]
    }

    var frames: [Frame] = []
    var failure: MeshError?
  }

  private static func parsed(_ input: [UInt8], pieces: [Int]) -> ParsedFrames {
    var result = ParsedFrames()
    var parser = FrameParser()
    var rest = input[...]
    for count in pieces {
      let piece = rest.prefix(count)
      rest = rest.dropFirst(count)
      do throws(MeshError) {
        try withExactBytes(piece) { bytes throws(MeshError) in
          try parser.parse(UnsafeRawBufferPointer(bytes)) { head, payload in
            result.frames.append(.init(head: head, payload: [UInt8](payload)))
          }
        }
      } catch {
        result.failure = error
        break
      }
    }
    return result
  }

  /// Says `input` to a connection that has streams of its own open: it goes on or ends, and so does every stream.
  private static func converse(_ input: [UInt8]) throws {
    let runtime = SimulatedRuntime(seed: choices(input).next())
    let hasEnded = try runtime.run {
      let pipe = SimulatedPipe(runtime)
      let hello = Hello(
        cluster: ClusterID(random: runtime.random), start: StartID(random: runtime.random),
        lane: .control, observed: "")
      let connection = MeshConnection(
        peer: NodeID(random: runtime.random), isDialler: true, hello: hello,
        wire: MeshWire(pipe.first), runtime: runtime)
      let services = MeshConnectionServices(
        endpoints: EndpointRegistry { registry in
          registry.stream("e") { stream in
            while try await !stream.read(max: 100).isEmpty {}
            try await stream.write([1, 2, 3], isEnd: true)
          }
        }, upload: RateLimiter(bytesPerSecond: nil), download: RateLimiter(bytesPerSecond: nil),
        news: { [1] }, heardNews: { _, _ in })
      let serving = runtime.spawn { _ = await connection.run(services) }
      let asking = runtime.spawn {
        let stream = try? await connection.open(
          "e", deadline: runtime.now + .seconds(5), first: [1, 2, 3], isEnd: true)
        while let bytes = try? await stream?.read(max: 100), !bytes.isEmpty {}
      }
      let bytes = UnsafeMutableRawBufferPointer.allocate(
        byteCount: max(input.count, 1), alignment: 1)
      defer { bytes.deallocate() }
      bytes.copyBytes(from: input)
      try? await pipe.second.write(
        UnsafeRawBufferPointer(rebasing: bytes[..<input.count]),
        deadline: runtime.now + .seconds(1))
      // Whatever was said, silence follows: that ends the connection, and with it the stream.
      await asking.value
      await serving.value
      return connection.failure != nil
    }
    try require(hasEnded, "the connection goes on beside a silent peer")
  }
}
