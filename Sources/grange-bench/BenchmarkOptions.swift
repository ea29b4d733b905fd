// What the command line asks to be measured.

import Base

/// What can be measured.
enum Operation: String, CaseIterable {
  case put, get, head, delete, list, mixed
  /// Puts each key once, without a limit of time.
  case fill
  /// Gets each key once and compares every byte, without a limit of time.
  case verify

  /// Whether it goes through all keys, however long that takes.
  var isWhole: Bool { self == .fill || self == .verify }
}

struct OptionError: Error {
  let message: String
}

struct BenchmarkOptions {
  var host = "127.0.0.1"
  var port: UInt16 = 3900
  var region = "grange"
  var bucket = ""
  var accessKey = ""
  var secretKey = ""
  var isSigned = true
  var operation = Operation.put
  var sizeBytes = 1024
  var concurrency = 1
  var seconds = 5.0
  /// Stops after so many, if that is before the time.
  var operationCountMax = Int.max
  /// The keys there are: for a put, a fill and a delete to go through once, for the others to choose from.
  var objectCount = 1000
  var prefix = "bench/"
  /// So many keys each lie in a folder of their own; 0 for no folders.
  var keysPerFolder = 0
  var pageKeys = 1000
  var delimiter = ""
  var mix = Mix.usual
  /// Every body and page rather than a sample.
  var comparesAll = false
  var serverProcesses: [Int32] = []
  var isJSON = false

  var authority: String { "\(host):\(port)" }

  /// Bodies are slices of one buffer in memory, so there is a limit to them.
  private static let sizeBytesMax = 1 << 30

  static let usage = """
    usage: grange-bench OPERATION --bucket NAME --access KEY --secret KEY [OPTIONS]
           grange-bench disk FOLDER [SECONDS]   8 writers of durable files of 1 MiB
           grange-bench hash [SECONDS]          MD5 and BLAKE2b on one core
           grange-bench mesh [SECONDS]          two nodes on loopback, beside plain TLS over one socket
           grange-bench mesh-answer IP:PORT LIMIT        one of two nodes at the ends of a line, until it is killed
           grange-bench mesh-ask IP:PORT LIMIT SECONDS   the other: small questions alone, then beside blocks, of
                                                which each node sends LIMIT bytes a second; 0 for no limit

    OPERATION   put, delete   each of --objects once
                fill          as put, without a limit of time
                verify        gets each of --objects once and compares every byte, without a limit of time
                get, head     of keys that put or fill wrote with the same --prefix, --size and --objects
                list          pages of --page keys, each from where the one before ended
                mixed         --mix of them: reads choose from --objects, puts write new keys, deletes remove those
      --endpoint IPV4:PORT   127.0.0.1:3900     plain HTTP
      --region NAME          grange
      --no-signature                            for a server that knows no signatures, such as nginx
      --size SIZE            1K                 of an object
      --concurrency N        1                  requests at a time, one connection each
      --seconds S            5
      --operations N                            end after so many, if that is earlier
      --objects N            1000
      --prefix TEXT          bench/
      --per-folder N         0                  lay so many keys each into a folder below the prefix
      --page N               1000               list: keys of a page
      --delimiter TEXT                          list
      --mix WEIGHTS          \(Mix.usual)
      --compare-all                             compare every body with what was stored, not one in 64
      --server-pid PID[,..]                     also print the CPU time that these processes took
      --json                                    one JSON document instead of a line

    Requests are signed before the time begins, but those of list, whose tokens nobody knows then. A signature is good
    for 15 minutes; the server verifies each. The secret may also come in the environment variable GRANGE_BENCH_SECRET.
    """

  init(arguments: [String], secretFromEnvironment: String?) throws(OptionError) {
    guard let first = arguments.first, let operation = Operation(rawValue: first) else {
      throw OptionError(message: "the first argument is an operation")
    }
    self.operation = operation
    secretKey = secretFromEnvironment ?? ""
    var rest = arguments.dropFirst()
    while let name = rest.popFirst() {
      switch name {
      case "--json": isJSON = true
      case "--no-signature": isSigned = false
      case "--compare-all": comparesAll = true
      default:
        guard let value = rest.popFirst() else {
          throw OptionError(message: "\(name) needs a value")
        }
        try set(name, value)
      }
    }
    guard !bucket.isEmpty else { throw OptionError(message: "--bucket is needed") }
    guard !isSigned || (!accessKey.isEmpty && !secretKey.isEmpty) else {
      throw OptionError(message: "--access and --secret are needed, or --no-signature")
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
    case "--delimiter": delimiter = value
    case "--size": sizeBytes = try Self.size(value)
    case "--concurrency": concurrency = try Self.number(name, value, 1...1000)
    case "--seconds": seconds = try Self.seconds(value)
    case "--operations": operationCountMax = try Self.number(name, value, 1...Int.max)
    case "--objects": objectCount = try Self.number(name, value, 1...10_000_000)
    case "--per-folder": keysPerFolder = try Self.number(name, value, 0...10_000_000)
    case "--page": pageKeys = try Self.number(name, value, 1...1000)
    case "--mix": mix = try Mix(value)
    case "--server-pid": serverProcesses = try Self.processes(value)
    default: throw OptionError(message: "unknown option \(name)")
    }
  }

  private mutating func setEndpoint(_ text: String) throws(OptionError) {
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...])
    else { throw OptionError(message: "--endpoint is IPV4:PORT") }
    host = String(text[..<colon])
    self.port = port
  }

  private static func size(_ text: String) throws(OptionError) -> Int {
    guard let bytes = ByteSize.parse(text), bytes <= UInt64(sizeBytesMax) else {
      throw OptionError(message: "--size is a size up to 1G")
    }
    return Int(bytes)
  }

  private static func seconds(_ text: String) throws(OptionError) -> Double {
    guard let value = Double(text), value > 0, value <= 3600 else {
      throw OptionError(message: "--seconds is a number up to 3600")
    }
    return value
  }

  private static func processes(_ text: String) throws(OptionError) -> [Int32] {
    var processes: [Int32] = []
    for word in text.split(separator: ",") {
      guard let process = Int32(word), process > 0 else {
        throw OptionError(message: "--server-pid is a list of process IDs")
      }
      processes.append(process)
    }
    return processes
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
