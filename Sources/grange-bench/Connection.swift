// One connection: a unit of concurrency, with one request under way.

import CLinux
import Glibc

/// A non-blocking socket, and how far its request and answer are.
struct Connection {
  /// How far reading or writing came.
  enum Progress {
    case wouldBlock
    case finished
    case failed(String)
  }

  private(set) var descriptor: Int32 = -1
  /// What is under way; `nil` between requests.
  var request: NextRequest?
  var startNanoseconds: UInt64 = 0
  /// Whether epoll was asked to say when more can be sent.
  var awaitsRoom = false

  /// The answer, once its head has been read.
  private(set) var answer: AnswerHead?
  /// Bytes of the body that have been read.
  private(set) var bodyBytes = 0
  /// Whether the body was not what was stored.
  private(set) var differs = false

  private var body = UnsafeRawBufferPointer(start: nil, count: 0)
  private var sentBytes = 0
  /// What the body is to be compared with, if it is.
  private var expected: UnsafeRawBufferPointer?
  /// A head that arrives in pieces is put together here; a whole page of a listing, or an error's text.
  private let memory = Memory(byteCount: keptMax)
  private var keptBytes = 0
  private var keepsBody = false

  /// Holds a page of 1,000 keys of 1 KiB; an answer that is kept and longer is cut.
  ///
  /// The kernel gives memory as it is touched, so that only listings cost it.
  private static let keptMax = 2 << 20

  private var kept: UnsafeMutableRawBufferPointer { memory.bytes }

  /// Why it could not connect; `nil` when it did.
  mutating func open(host: String, port: UInt16) -> String? {
    close()
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return "socket: errno \(errno)" }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else {
      return "\(host) is no IPv4 address"
    }
    let result = withUnsafePointer(to: address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { return "connect: \(Self.reason)" }
    var yes: Int32 = 1
    setsockopt(
      descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
    guard fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK) == 0 else {
      return "fcntl: \(Self.reason)"
    }
    return nil
  }

  mutating func close() {
    if descriptor >= 0 { Glibc.close(descriptor) }
    descriptor = -1
  }

  private static var reason: String { String(cString: strerror(errno)) }

  /// Takes up `request`; `send` begins it.
  mutating func begin(
    _ request: NextRequest, body: UnsafeRawBufferPointer?, expected: UnsafeRawBufferPointer?,
    at now: UInt64
  ) {
    self.request = request
    self.body = body ?? UnsafeRawBufferPointer(start: nil, count: 0)
    self.expected = expected
    startNanoseconds = now
    sentBytes = 0
    answer = nil
    bodyBytes = 0
    differs = false
    keptBytes = 0
    keepsBody = request.operation == .list
  }

  /// Sends what the socket takes.
  mutating func send() -> Progress {
    guard let request else { return .finished }
    while true {
      let headLeft = request.head.dropFirst(sentBytes)
      let bodyLeft = body.dropFirst(max(0, sentBytes - request.head.count))
      let count = headLeft.isEmpty ? send(bodyLeft) : send(headLeft, bodyLeft)
      if count < 0 {
        if errno == EINTR { continue }
        return errno == EAGAIN ? .wouldBlock : .failed("send: \(Self.reason)")
      }
      sentBytes += count
      if sentBytes == request.head.count + body.count { return .finished }
    }
  }

  private func send(_ bytes: Slice<UnsafeRawBufferPointer>) -> Int {
    let bytes = UnsafeRawBufferPointer(rebasing: bytes)
    return Glibc.send(descriptor, bytes.baseAddress, bytes.count, 0)
  }

  /// Both in one call, so that a small request is one segment.
  private func send(
    _ head: Slice<UnsafeRawBufferPointer>, _ body: Slice<UnsafeRawBufferPointer>
  ) -> Int {
    guard !body.isEmpty else { return send(head) }
    return withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) { vectors in
      for (index, bytes) in [head, body].enumerated() {
        let bytes = UnsafeRawBufferPointer(rebasing: bytes)
        vectors[index] = iovec(
          iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
      }
      return writev(descriptor, vectors.baseAddress, 2)
    }
  }

  /// Reads what has arrived; finished when the answer is whole.
  mutating func receive(_ scratch: UnsafeMutableRawBufferPointer) -> Progress {
    while true {
      let count = recv(descriptor, scratch.baseAddress, scratch.count, 0)
      if count == 0 { return .failed("the server closed the connection") }
      if count < 0 {
        if errno == EINTR { continue }
        return errno == EAGAIN ? .wouldBlock : .failed("recv: \(Self.reason)")
      }
      switch take(UnsafeRawBufferPointer(rebasing: scratch[..<count])) {
      // There was less than asked for, so that there is nothing more: epoll says when there is.
      case .wouldBlock where count == scratch.count: continue
      case let progress: return progress
      }
    }
  }

  private mutating func take(_ bytes: UnsafeRawBufferPointer) -> Progress {
    if let answer { return takeBody(bytes, answer) }
    guard request != nil else { return .failed("bytes that no request asked for") }
    do throws(AnswerHead.Incomplete) {
      if keptBytes == 0, let head = try whole(bytes) {
        return beginBody(head, UnsafeRawBufferPointer(rebasing: bytes[head.headBytes...]))
      }
      let before = keptBytes
      keep(bytes)
      guard let head = try whole(UnsafeRawBufferPointer(rebasing: kept[..<keptBytes])) else {
        return .wouldBlock
      }
      keptBytes = 0
      return beginBody(
        head, UnsafeRawBufferPointer(rebasing: bytes[(head.headBytes - before)...]))
    } catch {
      return .failed("an answer that is not HTTP/1.1")
    }
  }

  private func whole(
    _ bytes: UnsafeRawBufferPointer
  ) throws(AnswerHead.Incomplete) -> AnswerHead? {
    do throws(AnswerHead.Incomplete) {
      return try AnswerHead(bytes)
    } catch {
      if case .needsMore = error { return nil }
      throw error
    }
  }

  private mutating func beginBody(_ head: AnswerHead, _ rest: UnsafeRawBufferPointer) -> Progress {
    answer = head
    if head.status >= 300 {
      keepsBody = true
      expected = nil
    }
    return takeBody(rest, head)
  }

  private mutating func takeBody(_ bytes: UnsafeRawBufferPointer, _ answer: AnswerHead) -> Progress
  {
    let hasBody = request?.operation != .head && answer.status != 204
    guard let length = hasBody ? answer.contentLength : 0 else {
      return .failed("an answer without Content-Length")
    }
    guard bodyBytes + bytes.count <= length else { return .failed("an answer longer than it says") }
    if keepsBody { keep(bytes) }
    if let expected, expected.count == length, !bytes.isEmpty,
      let left = expected.baseAddress, let right = bytes.baseAddress
    {
      differs = differs || memcmp(left + bodyBytes, right, bytes.count) != 0
    }
    bodyBytes += bytes.count
    return bodyBytes == length ? .finished : .wouldBlock
  }

  private mutating func keep(_ bytes: UnsafeRawBufferPointer) {
    let taken = bytes.prefix(kept.count - keptBytes)
    guard !taken.isEmpty else { return }
    UnsafeMutableRawBufferPointer(rebasing: kept[keptBytes...]).copyBytes(from: taken)
    keptBytes += taken.count
  }

  /// The body, if it was kept.
  var keptBody: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: kept[..<keptBytes]) }
}
