// Endpoints: what nodes may ask each other, by name.
//
// An endpoint is declared once, as a constant, by the layer that owns it; the same constant registers the answer and asks the
// question. Names are on the wire: literals, never derived from a type or file.

package import Base
package import Codecs

/// Something that travels as a record.
package protocol MeshMessage: Sendable {
  func write(to writer: inout BinaryWriter)

  init(_ reader: inout BinaryReader) throws(BinaryError)
}

/// A question of one type and its answer of another, with no body on either side.
package struct MeshEndpoint<Request: MeshMessage, Answer: MeshMessage>: Sendable {
  /// The name on the wire, such as `cluster/push`.
  package let name: StaticString
  package let lane: MeshLane
  /// The most bytes of a question, and of an answer.
  package let bytesMax: Int

  package init(_ name: StaticString, lane: MeshLane = .control, bytesMax: Int) {
    precondition((1...64).contains(name.utf8CodeUnitCount), "an endpoint's name has 1 to 64 bytes")
    self.name = name
    self.lane = lane
    self.bytesMax = bytesMax
  }
}

/// A message of nothing.
package struct EmptyMessage: MeshMessage {
  package init() {}

  package func write(to writer: inout BinaryWriter) {}

  package init(_ reader: inout BinaryReader) throws(BinaryError) { _ = reader.remaining() }
}

/// Answers what comes for one endpoint.
struct MeshHandler: Sendable {
  private let body: @Sendable (MeshStream) async throws -> Void

  init(_ body: @escaping @Sendable (MeshStream) async throws -> Void) { self.body = body }

  /// Answers one stream; what goes wrong reaches the asker as a reset.
  func answer(_ stream: MeshStream) async {
    do {
      try await body(stream)
    } catch is CancellationError {
      stream.cancel(.cancelled)
    } catch is BinaryError {
      stream.cancel(.malformed, "the message cannot be read")
    } catch MeshError.reset(let code, let text) {
      stream.cancel(code, text)
    } catch {
      stream.cancel(.failed, "\(error)")
    }
  }
}

/// The endpoints of a node.
///
/// All are registered before the node listens.
package final class EndpointRegistry: Sendable {
  private let handlers: [String: MeshHandler]

  /// A registry of what `build` registers.
  package init(_ build: (inout Builder) -> Void) {
    var builder = Builder()
    build(&builder)
    handlers = builder.handlers
  }

  func handler(_ name: String) -> MeshHandler? { handlers[name] }

  /// Gathers endpoints.
  package struct Builder {
    fileprivate var handlers: [String: MeshHandler] = [:]

    /// Registers who answers `endpoint`; `answer` learns which node asks.
    package mutating func answer<Request, Answer>(
      _ endpoint: MeshEndpoint<Request, Answer>,
      _ answer: @escaping @Sendable (NodeID, Request) async throws -> Answer
    ) {
      stream(endpoint.name) { stream in
        let request: Request = try await stream.message(bytesMax: endpoint.bytesMax)
        let answer = try await answer(stream.peer, request)
        try await stream.write(Framing.encode(answer), isEnd: true)
      }
    }

    /// Registers who answers streams of the endpoint `name` with bodies.
    package mutating func stream(
      _ name: StaticString, _ body: @escaping @Sendable (MeshStream) async throws -> Void
    ) {
      let name = "\(name)"
      precondition(handlers[name] == nil, "the endpoint \(name) is registered twice")
      handlers[name] = MeshHandler(body)
    }
  }
}

/// Messages at the front of a run of bytes: a varint with their count of bytes, and the bytes.
package enum Framing {
  /// A message with its count before it.
  package static func encode(_ message: some MeshMessage) -> [UInt8] {
    var writer = BinaryWriter()
    writer.nested { message.write(to: &$0) }
    return writer.bytes
  }
}

extension MeshStream {
  /// The message at the front, which has at most `bytesMax` bytes.
  ///
  /// - Throws: `BinaryError`, `MeshError`, `CancellationError`.
  package nonisolated(nonsending) func message<Message: MeshMessage>(
    bytesMax: Int
  ) async throws -> Message {
    let count = try await messageBytes(max: bytesMax)
    let bytes = try await readExactly(count)
    return try BinaryReader.read(bytes) { reader throws(BinaryError) in try Message(&reader) }
  }

  private nonisolated(nonsending) func messageBytes(max: Int) async throws -> Int {
    var prefix: [UInt8] = []
    repeat {
      prefix += try await readExactly(1)
    } while (prefix.last ?? 0) >= 0x80 && prefix.count < 10
    return try BinaryReader.read(prefix) { reader throws(BinaryError) in try reader.count(max: max)
    }
  }

  /// Reads `count` bytes.
  ///
  /// - Throws: `BinaryError.truncated` when the stream ends before; `MeshError`, `CancellationError`.
  package nonisolated(nonsending) func readExactly(_ count: Int) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      let piece = try await read(max: count - bytes.count)
      guard !piece.isEmpty else { throw BinaryError.truncated }
      bytes += piece
    }
    return bytes
  }
}
