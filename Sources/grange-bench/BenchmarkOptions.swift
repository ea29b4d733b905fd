// What the command line asks to be measured.

import Base
import HTTP

/// The kinds of request that can be measured.
enum Operation: String, CaseIterable {
  case put, get, head, delete, list
}

struct OptionError: Error {
  let message: String
}

struct BenchmarkOptions {
  var endpoint = HTTPEndpoint.tcp(host: "127.0.0.1", port: 3900)
  var authority = "127.0.0.1:3900"
  var region = "grange"
  var bucket = ""
  var accessKey = ""
  var secretKey = ""
  var operation = Operation.put
  var sizeBytes = 1024
  var concurrency = 1
  var duration: Duration = .seconds(5)
  /// Keys that requests choose from; a put goes through them in turn.
  var objectCount = 1000
  var prefix = "bench/"
  var isJSON = false

  /// Bodies are slices of one buffer in memory, so there is a limit to them.
  private static let sizeBytesMax = 1 << 30

  static let usage = """
    usage: grange-bench OPERATION --bucket NAME --access KEY --secret KEY [OPTIONS]

    OPERATION is put, get, head, delete or list; get and head read what put wrote.
      --endpoint HOST:PORT   127.0.0.1:3900     plain HTTP
      --region NAME          grange
      --size SIZE            1K                 of an object, or keys of a page for list
      --concurrency N        1                  requests at a time, one connection each
      --seconds N            5
      --objects N            1000               keys to choose from
      --prefix TEXT          bench/
      --json                                    one JSON document instead of a line

    The secret may also come in the environment variable GRANGE_BENCH_SECRET.
    """

  init(arguments: [String], secretFromEnvironment: String?) throws(OptionError) {
    guard let first = arguments.first, let operation = Operation(rawValue: first) else {
      throw OptionError(message: "the first argument is an operation")
    }
    self.operation = operation
    secretKey = secretFromEnvironment ?? ""
    var rest = arguments.dropFirst()
    while let name = rest.popFirst() {
      if name == "--json" {
        isJSON = true
        continue
      }
      guard let value = rest.popFirst() else {
        throw OptionError(message: "\(name) needs a value")
      }
      try set(name, value)
    }
    guard !bucket.isEmpty, !accessKey.isEmpty, !secretKey.isEmpty else {
      throw OptionError(message: "--bucket, --access and --secret are needed")
    }
  }

  private mutating func set(_ name: String, _ value: String) throws(OptionError) {
    switch name {
    case "--endpoint": try setEndpoint(value)
    case "--region": region = value
    case "--bucket": bucket = value
    case "--access": accessKey = value
    case "--secret": secretKey = value
    case "--prefix": prefix = value
    case "--size": sizeBytes = try Self.size(value)
    case "--concurrency": concurrency = try Self.number(name, value, 1...1000)
    case "--seconds": duration = .seconds(try Self.number(name, value, 1...3600))
    case "--objects": objectCount = try Self.number(name, value, 1...10_000_000)
    default: throw OptionError(message: "unknown option \(name)")
    }
  }

  private mutating func setEndpoint(_ text: String) throws(OptionError) {
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...])
    else { throw OptionError(message: "--endpoint is HOST:PORT") }
    endpoint = .tcp(host: String(text[..<colon]), port: port)
    authority = text
  }

  private static func size(_ text: String) throws(OptionError) -> Int {
    guard let bytes = ByteSize.parse(text), bytes <= UInt64(sizeBytesMax) else {
      throw OptionError(message: "--size is a size up to 1G")
    }
    return Int(bytes)
  }

  private static func number(
    _ name: String, _ text: String, _ range: ClosedRange<Int>
  ) throws(OptionError) -> Int {
    guard let value = Int(text), range.contains(value) else {
      throw OptionError(
        message: "\(name) is a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }
}
