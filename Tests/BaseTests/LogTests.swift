import Base
import Glibc
import Testing

@Suite struct LogTests {
  /// What `write` logs, through a pipe.
  private func logged(
    _ format: LogOutput.Format, level: LogLevel = .info, _ write: (Logger) -> Void
  ) -> String {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { return "" }
    write(
      Logger(output: LogOutput(level: level, format: format, descriptor: ends[1]), label: "blocks"))
    close(ends[1])
    defer { close(ends[0]) }
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = read(ends[0], &buffer, buffer.count)
    return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
  }

  @Test func keepsHostileTextOnOneLine() {
    let key = "a\nfake: line\u{1B}[2J\u{7F}\"é"
    #expect(
      logged(.journald) { $0.warning("read \(key)", [("key", key), ("bucket", "b")]) }
        == "<4>blocks: read a\\x0afake: line\\x1b[2J\\x7f\"é "
        + "key=\"a\\nfake: line\\u001b[2J\\u007f\\\"é\" bucket=b\n")
  }

  @Test func writesAnObjectALine() {
    let line = logged(.json) { $0.error("a \"b\"\\", [("k", "v\n")]) }
    #expect(line.hasPrefix("{\"time\":\"2"))
    #expect(
      line.hasSuffix(
        "\"level\":\"error\",\"label\":\"blocks\",\"message\":\"a \\\"b\\\"\\\\\",\"k\":\"v\\n\"}\n"
      ))
  }

  @Test func writesTimeAndLevelForPeople() {
    let line = logged(.plain) { $0.info("started", [("empty", ""), ("port", "3900")]) }
    #expect(line.hasSuffix("Z info    blocks: started empty=\"\" port=3900\n"))
    #expect(line.utf8.count == 24 + " info    blocks: started empty=\"\" port=3900\n".utf8.count)
  }

  @Test func leavesOutWhatIsBelowTheLevel() {
    func message() -> String {
      Issue.record("the message of a line that is not written was built")
      return ""
    }
    #expect(logged(.plain, level: .warning) { $0.info(message()) } == "")
    Logger.disabled.error(message())
    #expect(LogLevel(name: "debug") == .debug)
    #expect(LogLevel(name: "loud") == nil)
  }
}
