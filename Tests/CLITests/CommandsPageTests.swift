import CLI
import Glibc
import Testing

@Suite struct CommandsPageTests {
  /// docs/commands.md is made by `grange help --markdown`.
  @Test func isTheOneInTheRepository() throws {
    let end = try #require(#filePath.firstRange(of: "/Tests/CLITests/")).lowerBound
    let file = try #require(fopen(#filePath[..<end] + "/docs/commands.md", "r"))
    defer { fclose(file) }
    var page = [UInt8](repeating: 0, count: 1 << 16)
    page.removeLast(page.count - fread(&page, 1, page.count, file))
    #expect(
      String(decoding: page, as: UTF8.self) == CommandsPage.markdown,
      "run: grange help --markdown > docs/commands.md")
    #expect(run(["help", "--markdown"]).output + "\n" == CommandsPage.markdown)
  }
}
