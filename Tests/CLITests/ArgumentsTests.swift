import CLI
import Synchronization
import Testing

/// What a command line prints and its exit code.
struct Ran: Sendable {
  var code: Int32
  var output: String
  var errors: String
}

/// Runs a command line in this process.
func run(_ line: [String], environment: [String: String] = [:]) -> Ran {
  let output = Lines()
  let errors = Lines()
  let console = Console(print: { output.add($0) }, printError: { errors.add($0) })
  let code = GrangeCommand.main(line, environment: environment, console: console)
  return Ran(code: code, output: output.text, errors: errors.text)
}

/// Lines that were printed.
final class Lines: Sendable {
  private let lines = Mutex<[String]>([])
  func add(_ line: String) { lines.withLock { $0.append(line) } }
  var text: String { lines.withLock { $0.joined(separator: "\n") } }
}

@Suite struct ArgumentsTests {
  @Test func answersVersionAndHelp() {
    #expect(run(["--version"]).output.hasPrefix("grange "))
    #expect(run(["-V"]).code == 0)
    #expect(run(["--help"]).output.contains("Usage: grange COMMAND"))
    #expect(run(["help"]).output.contains("bucket create NAME"))
    #expect(run(["bucket", "allow", "-h"]).output.contains("[--key KEY]"))
    #expect(run(["help", "key", "create"]).output.contains("--expires TIME"))
  }

  @Test(
    arguments: [
      ([], "no command"),
      (["frobnicate"], "unknown command 'frobnicate'; try"),
      (["bucket"], "`grange bucket` takes one of: list, info"),
      (["bucket", "crate"], "unknown command 'bucket crate'"),
      (["bucket", "info"], "BUCKET is missing; try: grange help bucket info"),
      (["bucket", "info", "a", "b"], "unexpected 'b'"),
      (["status", "--frobnicate"], "unknown option --frobnicate; try"),
      (["key", "create", "--expire", "30d"], "unknown option --expire; did you mean --expires?"),
      (["status", "--read"], "`grange status` has no option --read"),
      (["status", "--json=1"], "--json takes no value"),
      (["status", "--data"], "--data needs a value"),
      (["status", "--data", "a", "--data=b"], "--data is given twice"),
      (["bucket", "allow", "b"], "--key is missing"),
      (["bucket", "allow", "b", "--key", "k"], "say which rights"),
      (["key", "allow", "k"], "say which right"),
      (["key", "create", "--expires", "soon"], "--expires takes a time"),
      (["key", "create", "--expires", "0d"], "--expires takes a time"),
      (["key", "create", "--expires", "36501d"], "--expires takes a time"),
      (["key", "update", "k"], "say what to change"),
      (["key", "set", "k"], "say what to change"),
      (["bucket", "set-quotas", "b"], "say which limit"),
      (["bukcet", "list"], "unknown command 'bukcet'; did you mean bucket?"),
      (["repair", "blocks"], "this version only looks"),
      (["help", "frobnicate"], "unknown command 'frobnicate'"),
    ] as [([String], String)])
  func refusesWhatIsNoCommandWithExitCode2(line: [String], message: String) {
    let ran = run(line)
    #expect(ran.code == 2)
    #expect(ran.errors.contains(message), "\(ran.errors)")
    #expect(ran.errors.contains("; try: grange help"))
    #expect(!ran.errors.contains("\n"))
    #expect(ran.output == "")
  }

  @Test func saysThatNoNodeIsRunning() {
    let ran = run(["status", "--data", "/nonexistent"])
    #expect(ran.code == 1)
    #expect(ran.errors.hasPrefix("no node is running at /nonexistent/meta/admin.sock: start it"))
    let named = run(["status"], environment: ["GRANGE_SOCKET": "/nonexistent/s"])
    #expect(named.errors.hasPrefix("no node is running at /nonexistent/s:"))
  }

  @Test func checksTheConfiguration() {
    let good = run(["config", "check"], environment: ["GRANGE_CONFIG": "/dev/null"])
    #expect(good.code == 0)
    #expect(good.output.contains("[s3]\nbind = \"[::]:3900\"\n"))
    let bad = run(
      ["config", "check"],
      environment: ["GRANGE_CONFIG": "/dev/null", "GRANGE_FSYNC": "perhaps", "GRANGE_ZONE": ""])
    #expect(bad.code == 1)
    #expect(bad.errors.split(separator: "\n").count == 2)
  }
}
