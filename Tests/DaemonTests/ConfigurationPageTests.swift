import Daemon
import Testing

@Suite struct ConfigurationPageTests {
  /// docs/configuration.md is made by `grange config docs`.
  @Test func isTheOneInTheRepository() throws {
    let tests = "/Tests/DaemonTests/"
    let end = try #require(#filePath.firstRange(of: tests)).lowerBound
    let page = try #require(Files.read(#filePath[..<end] + "/docs/configuration.md"))
    #expect(page == ConfigurationPage.markdown, "run: grange config docs > docs/configuration.md")
  }
}
