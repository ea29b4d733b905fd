import Base
import Codecs
import Testing

@Suite struct XMLTests {
  private func parse(_ text: String, _ limits: XMLLimits = XMLLimits()) throws -> XMLElement {
    try XMLParser.parse(Array(text.utf8), limits: limits)
  }

  private func failure(_ text: String, _ limits: XMLLimits = XMLLimits()) -> XMLError? {
    do {
      _ = try XMLParser.parse(Array(text.utf8), limits: limits)
      return nil
    } catch {
      return error
    }
  }

  @Test func readsARequestWithOrWithoutNamespace() throws {
    let body = "<Part><PartNumber>1</PartNumber><ETag>&quot;a&quot;</ETag></Part>"
    let plain = try parse("<CompleteMultipartUpload>\(body)</CompleteMultipartUpload>")
    #expect(plain.children(named: "Part").map { $0.text(of: "ETag") } == ["\"a\""])
    let uri = "http://s3.amazonaws.com/doc/2006-03-01/"
    let named = try parse(
      "<?xml version=\"1.0\"?><s:CompleteMultipartUpload xmlns:s=\"\(uri)\">"
        + "<s:Part k=\"v\" s:l=\"w\"/></s:CompleteMultipartUpload>")
    #expect(named.name == "CompleteMultipartUpload")
    #expect(named.child("Part")?.attribute("k") == "v")
    #expect(named.child("Part")?.attribute("l") == "w")
    #expect(named.attributes.isEmpty)
  }

  @Test func keepsTextExactly() throws {
    let element = try parse("<a> x&#10;<![CDATA[<&]]>&lt;<b>inner</b> é&#x1F98A; </a>")
    #expect(element.text == " x\n<&< é🦊 ")
    #expect(element.text(of: "b") == "inner")
  }

  @Test(arguments: [
    "<!DOCTYPE a><a/>", "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
    "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>",
    "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;\">]><l>&b;</l>",
  ])
  func refusesDocumentTypes(text: String) {
    #expect(failure(text) == .documentType)
  }

  @Test(arguments: [
    "", " ", "<a>", "<a></b>", "<a/><b/>", "<a b=c/>", "<a>&other;</a>", "<a>&#0;</a>",
    "<a>\u{1}</a>", "<a b='1' b='2'/>", "text", "<a/>text", "<a><!-- -- --></a>",
  ])
  func refusesWhatIsNotWellFormed(text: String) throws {
    guard case .malformed(let reason, let line) = try #require(failure(text)) else {
      Issue.record("\(text) was refused for another reason")
      return
    }
    #expect(!reason.isEmpty && line <= 1)
  }

  @Test func refusesBytesThatAreNotText() {
    #expect(throws: XMLError.self) {
      try XMLParser.parse(Array("<a>".utf8) + [0xFF] + Array("</a>".utf8))
    }
    #expect(throws: XMLError.self) { try XMLParser.parse([0x3C, 0x61, 0x00, 0x2F, 0x3E]) }
  }

  /// A long namespace stands once in the document; the tree must not repeat it in each element.
  @Test func doesNotMultiplyANamespace() throws {
    let uri = String(repeating: "n", count: 10_000)
    let root = try parse("<a xmlns=\"\(uri)\">" + String(repeating: "<b/>", count: 100) + "</a>")
    #expect(root.children.count == 100)
    #expect(root.attributes.isEmpty)
    #expect(root.children.allSatisfy { $0.name == "b" && $0.text.isEmpty && $0.attributes.isEmpty })
  }

  @Test func boundsSizeDepthAndCount() throws {
    let limits = XMLLimits(bytesMax: 100, depthMax: 3, countMax: 5)
    _ = try parse("<a><b><c/></b></a>", limits)
    #expect(failure("<a><b><c><d/></c></b></a>", limits) == .overLimit)
    #expect(failure("<a><b/><b/><b/><b/><b/></a>", limits) == .overLimit)
    #expect(failure("<a b='' c='' d='' e='' f=''/>", limits) == .overLimit)
    #expect(failure("<a>" + String(repeating: " ", count: 100) + "</a>", limits) == .overLimit)
    #expect(failure(String(repeating: "<a>", count: 100_000)) == .overLimit)
  }

  @Test func writesAsS3Does() {
    var writer = XMLWriter()
    writer.element("ListBucketResult", ["xmlns": "http://s3.amazonaws.com/doc/2006-03-01/"]) {
      $0.element("Key", "a<b>&\"\u{1}\r\n\té")
      $0.element("Size", UInt64(5))
      $0.element("IsTruncated", false)
      $0.element("Prefix", "")
      $0.element("X", ["a": "\"\n\t"]) { _ in }
    }
    #expect(
      String(decoding: writer.bytes, as: UTF8.self)
        == "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        + "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        + "<Key>a&lt;b&gt;&amp;&quot;&#x1;&#xD;\n\té</Key><Size>5</Size>"
        + "<IsTruncated>false</IsTruncated><Prefix></Prefix>"
        + "<X a=\"&quot;&#xA;&#x9;\"></X></ListBucketResult>")
  }

  @Test func writesBytesAndEscapesOfURLs() {
    var writer = XMLWriter(declaration: false)
    writer.element("a", utf8: Array("x&\u{1}é<".utf8))
    writer.element("b", utf8: [])
    writer.element("c", percentEncoding: Array("a/b c&é".utf8), allowed: .unreservedAndSlash)
    #expect(
      String(decoding: writer.bytes, as: UTF8.self)
        == "<a>x&amp;&#x1;é&lt;</a><b></b><c>a/b%20c%26%C3%A9</c>")
  }
}

@Suite struct XMLPropertyTests {
  /// Text that XML can hold: no control characters but the three.
  private func text(_ random: Seeded) -> String {
    String(
      String.UnicodeScalarView(
        random.text(upTo: 30).unicodeScalars.filter {
          $0.value >= 0x20 || "\n\r\t".unicodeScalars.contains($0)
        }))
  }

  private func write(_ random: Seeded, depth: Int, to writer: inout XMLWriter) -> XMLElement {
    let attribute = text(random)
    var element = XMLElement(name: "e", attributes: [XMLAttribute("a", attribute)])
    writer.element("e", ["a": attribute]) { writer in
      if depth == 4 || random.oneIn(4) {
        let text = text(random)
        writer.element("t", text)
        element.children.append(XMLElement(name: "t", text: text))
      } else {
        for _ in 0..<random.below(5) {
          element.children.append(write(random, depth: depth + 1, to: &writer))
        }
      }
    }
    return element
  }

  @Test(arguments: 0..<100 as Range<UInt64>)
  func readsBackWhatWasWritten(seed: UInt64) throws {
    var writer = XMLWriter()
    let element = write(Seeded(seed), depth: 0, to: &writer)
    #expect(try XMLParser.parse(writer.bytes) == element)
  }

  /// A tree or an error for whatever bytes.
  @Test(arguments: 0..<100 as Range<UInt64>)
  func survivesMutatedDocuments(seed: UInt64) {
    let random = Seeded(seed)
    var writer = XMLWriter()
    _ = write(random, depth: 0, to: &writer)
    for _ in 0..<50 {
      let mutated = random.mutated(writer.bytes, with: Array("<>/&;#x!-[]=\"' ea".utf8))
      if let element = try? XMLParser.parse(mutated) { #expect(!element.name.isEmpty) }
    }
  }
}
