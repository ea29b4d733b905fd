import Base
import Daemon
import Model
import Testing

@Suite struct QuickstartTests {
  private let outcome = Quickstart.Outcome(
    accessKey: AccessKey(
      id: "GK0", secret: "s3cret", name: "quickstart", created: WallTime(milliseconds: 0)),
    bucket: "first", hasNewSecret: true)

  private func text(_ outcome: Quickstart.Outcome, isTerminal: Bool) -> String {
    outcome.text(
      endpoint: "http://localhost:3900", region: "grange",
      instructions: CommandInstructions(program: "./grange", options: " --data ./data"),
      isTerminal: isTerminal)
  }

  @Test func printsANewSecretOnATerminalOnly() {
    #expect(text(outcome, isTerminal: true).contains("Secret key  s3cret\n"))
    #expect(!text(outcome, isTerminal: false).contains("s3cret"))
    var known = outcome
    known.hasNewSecret = false
    #expect(!text(known, isTerminal: true).contains("s3cret"))
  }

  @Test func saysHowToSeeTheSecretLater() {
    for isTerminal in [true, false] {
      #expect(
        text(outcome, isTerminal: isTerminal).contains(
          "./grange key info GK0 --show-secret --data ./data"))
    }
  }

  @Test func needsBothHalvesOfAKey() throws {
    #expect(try Quickstart(isAskedFor: false, environment: [:]) == nil)
    #expect(try Quickstart(isAskedFor: true, environment: [:])?.bucket == "first")
    #expect(
      try Quickstart(isAskedFor: false, environment: ["GRANGE_DEFAULT_BUCKET": "b"])?.bucket == "b")
    #expect(throws: NodeFailure.self) {
      try Quickstart(isAskedFor: true, environment: ["GRANGE_DEFAULT_SECRET_KEY": "x"])
    }
    #expect(throws: NodeFailure.self) {
      try Quickstart(
        isAskedFor: true,
        environment: [
          "GRANGE_DEFAULT_ACCESS_KEY": "x", "GRANGE_DEFAULT_SECRET_KEY": "x",
          "GRANGE_DEFAULT_SECRET_KEY_FILE": "/x",
        ])
    }
  }
}
