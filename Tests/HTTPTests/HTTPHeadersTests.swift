import Testing

@testable import HTTP

@Suite struct HTTPHeadersTests {
  @Test func namesAreComparedWithoutCase() {
    let headers: HTTPHeaders = ["Content-Type": "text/plain", "x-a": "1", "X-A": "2"]
    #expect(headers["content-type"] == "text/plain")
    #expect(headers.all("x-A") == ["1", "2"])
    #expect(headers["content-typ"] == nil)
  }
}
