// The loop that measures: sends a request on each connection, checks the answer, sends the next.
//
// Level-triggered epoll, one thread. In the usual case a small request is one send, one recv and a share of an
// epoll_wait; nothing is allocated.

import CLinux
import Glibc

/// One run of a workload.
struct LoadLoop {
  private let options: BenchmarkOptions
  private var workload: Workload
  private let bytes: ObjectBytes
  private let epoll: Int32
  private var connections: [Connection]
  private let scratch = Memory(byteCount: scratchBytes)
  private var histograms: [Operation: LatencyHistogram] = [:]
  private var summary = Summary()
  private var underWay = 0
  private var sampled = 0
  private var endNanoseconds = UInt64.max

  /// Large enough that 16 MiB take few calls, small enough to stay in the second-level cache.
  private static let scratchBytes = 256 << 10
  /// Of so many bodies, or pages, one is compared with what it should be; the first is.
  private static let sampleEvery = 64
  /// A server that refuses everything is not worth more.
  private static let errorsMax = 1000
  /// A server that answers nothing for so long is given up.
  private static let silenceMaxMilliseconds: Int32 = 60_000

  init(_ options: BenchmarkOptions, _ workload: Workload, _ bytes: ObjectBytes) {
    self.options = options
    self.workload = workload
    self.bytes = bytes
    epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
    connections = (0..<options.concurrency).map { _ in Connection() }
  }

  /// Measures until the time is over or nothing is left to ask for, then waits for what is under way.
  mutating func run() throws(OptionError) -> Summary {
    for index in connections.indices {
      if let reason = connect(index) { throw OptionError(message: reason) }
    }
    let serverBefore = CPUTime.seconds(of: options.serverProcesses)
    let clientBefore = CPUTime.ownSeconds
    let start = Self.now
    if !options.operation.isWhole { endNanoseconds = start + UInt64(options.seconds * 1e9) }
    for index in connections.indices { next(index, at: start) }
    loop()
    summary.seconds = Double(Self.now - start) / 1e9
    summary.clientCPUSeconds = CPUTime.ownSeconds - clientBefore
    if let serverBefore, let after = CPUTime.seconds(of: options.serverProcesses) {
      summary.serverCPUSeconds = after - serverBefore
    }
    for operation in Operation.allCases {
      guard let histogram = histograms[operation] else { continue }
      summary.latencies.add(histogram)
      if options.operation == .mixed { summary.kinds.append((operation, histogram)) }
    }
    summary.operations = summary.latencies.count
    for index in connections.indices { connections[index].close() }
    close(epoll)
    return summary
  }

  private static var now: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }

  private mutating func loop() {
    let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: connections.count)
    defer { events.deallocate() }
    while underWay > 0, summary.errors < Self.errorsMax {
      let count = epoll_wait(
        epoll, events, Int32(connections.count), Self.silenceMaxMilliseconds)
      if count == 0 { return fail("nothing arrived for \(Self.silenceMaxMilliseconds) ms") }
      for position in 0..<max(0, Int(count)) {
        let event = events[position]
        handle(Int(event.data.u32), canSend: event.events & EPOLLOUT.rawValue != 0)
      }
    }
  }

  private mutating func handle(_ index: Int, canSend: Bool) {
    if connections[index].awaitsRoom, canSend { send(index) }
    // Also while sending: what arrives then is a refusal.
    switch connections[index].receive(scratch.bytes) {
    case .wouldBlock: break
    case .finished: finish(index)
    case .failed(let reason): restart(index, reason)
    }
  }

  private mutating func finish(_ index: Int) {
    let now = Self.now
    guard let request = connections[index].request, let answer = connections[index].answer else {
      return
    }
    if let reason = complaint(index, request, answer) {
      fail("\(request.operation.rawValue): \(reason)")
    } else {
      histograms[request.operation, default: LatencyHistogram()].record(
        nanoseconds: now - connections[index].startNanoseconds)
      switch request.operation {
      case .put, .fill: summary.bytes += options.sizeBytes
      default: summary.bytes += connections[index].bodyBytes
      }
    }
    underWay -= 1
    let isUnsent = connections[index].awaitsRoom
    connections[index].request = nil
    if answer.closesConnection || isUnsent, let reason = connect(index) { return fail(reason) }
    next(index, at: now)
  }

  /// What is wrong with an answer.
  private mutating func complaint(
    _ index: Int, _ request: NextRequest, _ answer: AnswerHead
  ) -> String? {
    guard (200...204).contains(answer.status) else {
      let text = connections[index].keptBody.prefix(300)
      return "\(answer.status) \(String(decoding: text, as: UTF8.self))"
    }
    switch request.operation {
    case .get, .head:
      guard answer.contentLength == options.sizeBytes else {
        return "a length of \(answer.contentLength ?? -1)"
      }
      return connections[index].differs ? "other bytes than were stored" : nil
    case .list: return complaint(page: connections[index].keptBody, of: index)
    case .put, .delete, .fill, .verify, .mixed: return nil
    }
  }

  private mutating func complaint(page bytes: UnsafeRawBufferPointer, of index: Int) -> String? {
    guard let page = ListPage(bytes) else { return "a page without KeyCount" }
    guard page.entries == options.pageKeys || page.token == nil && page.entries > 0 else {
      return "\(page.entries) entries on a page"
    }
    if isSample() {
      let found =
        ListPage.count("<Key>", in: bytes) + ListPage.count("</CommonPrefixes>", in: bytes)
      guard found == page.entries else { return "\(found) entries instead of \(page.entries)" }
    }
    summary.entries += page.entries
    workload.note(page, of: index)
    return nil
  }

  private mutating func isSample() -> Bool {
    defer { sampled &+= 1 }
    return options.comparesAll || options.operation == .verify || sampled % Self.sampleEvery == 0
  }

  private mutating func next(_ index: Int, at now: UInt64) {
    guard now < endNanoseconds, let request = workload.next(index) else { return }
    let isPut = request.operation == .put
    let isCompared = request.operation == .get && isSample()
    connections[index].begin(
      request, body: isPut ? bytes.body(request.number) : nil,
      expected: isCompared ? bytes.body(request.number) : nil, at: now)
    underWay += 1
    send(index)
  }

  private mutating func send(_ index: Int) {
    switch connections[index].send() {
    case .finished: awaitRoom(index, false)
    case .wouldBlock: awaitRoom(index, true)
    case .failed(let reason): restart(index, reason)
    }
  }

  // MARK: Connections

  private mutating func awaitRoom(_ index: Int, _ awaits: Bool) {
    guard connections[index].awaitsRoom != awaits else { return }
    connections[index].awaitsRoom = awaits
    register(index, EPOLL_CTL_MOD)
  }

  private mutating func connect(_ index: Int) -> String? {
    connections[index].awaitsRoom = false
    if let reason = connections[index].open(host: options.host, port: options.port) {
      return reason
    }
    return register(index, EPOLL_CTL_ADD) ? nil : "epoll_ctl: errno \(errno)"
  }

  @discardableResult
  private func register(_ index: Int, _ change: Int32) -> Bool {
    var event = epoll_event()
    let awaitsRoom = connections[index].awaitsRoom
    event.events = EPOLLIN.rawValue | (awaitsRoom ? EPOLLOUT.rawValue : 0)
    event.data.u32 = UInt32(index)
    return epoll_ctl(epoll, change, connections[index].descriptor, &event) == 0
  }

  /// Counts an error and goes on with a connection of its own.
  private mutating func restart(_ index: Int, _ reason: String) {
    fail(reason)
    if connections[index].request != nil { underWay -= 1 }
    connections[index].request = nil
    guard summary.errors < Self.errorsMax else { return }
    if let reason = connect(index) { return fail(reason) }
    next(index, at: Self.now)
  }

  private mutating func fail(_ reason: String) {
    summary.errors += 1
    if summary.firstError.isEmpty { summary.firstError = reason }
  }
}
