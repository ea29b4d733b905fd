// Feeds bytes to the parsers under test in every way that bytes can arrive.

import HTTP

/// What became of a request's head.
enum HeadOutcome: Equatable, CustomStringConvertible {
  case complete(summary: String)
  case needsMoreBytes
  case rejected(Int)

  var description: String {
    switch self {
    case .complete(let summary): "complete \(summary)"
    case .needsMoreBytes: "needs more bytes"
    case .rejected(let status): "rejected \(status)"
    }
  }

  var status: Int? {
    if case .rejected(let status) = self { return status }
    return nil
  }
}

let testLimits = HeadLimits(headMaxBytes: 4096, fieldCountMax: 32)

/// Parses `bytes`, which arrive in pieces that end at `cuts`.
func parseRequest(
  _ bytes: [UInt8], cuts: [Int] = [], limits: HeadLimits = testLimits
) -> HeadOutcome {
  var parser = RequestParser(limits: limits)
  do {
    for cut in cuts + [bytes.count] {
      let piece = Array(bytes[..<cut])
      if let request = try piece.withUnsafeBytes({ try parser.parse($0) }) {
        return .complete(summary: summary(request))
      }
    }
    return .needsMoreBytes
  } catch let rejection as HTTPRejection {
    return .rejected(rejection.status)
  } catch {
    return .rejected(0)
  }
}

func parsedRequest(_ text: String) throws -> ParsedRequest? {
  var parser = RequestParser(limits: testLimits)
  return try Array(text.utf8).withUnsafeBytes { try parser.parse($0) }
}

private func summary(_ request: ParsedRequest) -> String {
  let fields = request.head.headers.map { "\($0.name)=\($0.value)" }.joined(separator: "|")
  return
    "\(request.head.method) \(request.head.target) 1.\(request.head.minorVersion) [\(fields)]"
    + " \(request.framing) \(request.persists) \(request.expectsContinue) \(request.byteCount)"
}

/// Decodes a chunked body given in pieces of `inputBytes` through a buffer of `outputBytes`.
func decodeChunks(
  _ body: [UInt8], inputBytes: Int, outputBytes: Int
) -> Result<(content: [UInt8], trailers: HTTPHeaders, rest: Int)?, HTTPRejection> {
  var decoder = ChunkedDecoder()
  var content: [UInt8] = []
  var position = 0
  let output = UnsafeMutableRawBufferPointer.allocate(byteCount: outputBytes, alignment: 1)
  defer { output.deallocate() }
  do {
    while position < body.count, !decoder.isFinished {
      let piece = Array(body[position..<min(body.count, position + inputBytes)])
      let (consumed, produced) = try piece.withUnsafeBytes { try decoder.decode($0, into: output) }
      content += output[..<produced]
      position += consumed
      if consumed == 0 && produced == 0 { break }
    }
  } catch let rejection as HTTPRejection {
    return .failure(rejection)
  } catch {
    return .failure(HTTPRejection(0, "unexpected"))
  }
  return .success(
    decoder.isFinished ? (content, decoder.trailers, body.count - position) : nil)
}
