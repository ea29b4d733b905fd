// Reads XML through libexpat.
//
// Documents come from any client, so the parser takes less than XML offers: no document type, hence no
// entity but the five built-in ones and nothing to expand or to fetch; and bounded size, depth and count.
// Namespaces are not resolved: nothing here asks for them, and a long one would be repeated in every name.
// Expat itself checks well-formedness and UTF-8.

private import CExpat

/// Why a document was refused.
package enum XMLError: Error, Equatable, Sendable {
  /// Not well-formed: expat's words and the line.
  case malformed(reason: String, line: Int)
  /// A `<!DOCTYPE`, which no S3 request has.
  case documentType
  /// More bytes, levels, elements or attributes than the limit.
  case overLimit
}

/// Bounds on a document.
package struct XMLLimits: Sendable {
  /// Bytes: 8 MiB holds the largest request there is, which deletes 1,000 keys of 1,024 bytes, every
  /// byte of them escaped.
  package var bytesMax: Int
  /// Levels of elements: S3's deepest request has 7.
  package var depthMax: Int
  /// Elements and attributes: 10,000 parts to complete, each with five checksums and more, fit.
  package var countMax: Int

  package init(bytesMax: Int = 8 << 20, depthMax: Int = 32, countMax: Int = 100_000) {
    self.bytesMax = bytesMax
    self.depthMax = depthMax
    self.countMax = countMax
  }
}

/// Reads documents.
package enum XMLParser {
  /// The root element of `document`.
  package static func parse(
    _ document: [UInt8], limits: XMLLimits = XMLLimits()
  ) throws(XMLError) -> XMLElement {
    guard document.count <= limits.bytesMax, let count = Int32(exactly: document.count) else {
      throw .overLimit
    }
    guard let parser = XML_ParserCreate(nil) else {
      throw .malformed(reason: "out of memory", line: 0)
    }
    defer { XML_ParserFree(parser) }
    let builder = XMLTreeBuilder(parser: parser, limits: limits)
    // Safe because `builder` lives until the end of this function and the parser calls back only within
    // `XML_Parse`.
    XML_SetUserData(parser, Unmanaged.passUnretained(builder).toOpaque())
    setHandlers(of: parser)
    let status = document.withUnsafeBytes { bytes in
      XML_Parse(parser, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), count, 1)
    }
    if let failure = builder.failure { throw failure }
    guard status == XML_STATUS_OK, let root = builder.root else {
      let reason = XML_ErrorString(XML_GetErrorCode(parser)).map { String(cString: $0) }
      throw .malformed(
        reason: reason ?? "no root element", line: Int(XML_GetCurrentLineNumber(parser)))
    }
    return root
  }

  private static func setHandlers(of parser: XML_Parser) {
    XML_SetElementHandler(
      parser,
      { context, name, attributes in
        XMLTreeBuilder.of(context)?.start(name, attributes)
      },
      { context, _ in XMLTreeBuilder.of(context)?.end() })
    XML_SetCharacterDataHandler(parser) { context, text, count in
      XMLTreeBuilder.of(context)?.append(text, Int(count))
    }
    XML_SetStartDoctypeDeclHandler(parser) { context, _, _, _, _ in
      XMLTreeBuilder.of(context)?.stop(.documentType)
    }
  }
}

/// Collects expat's events into a tree.
private final class XMLTreeBuilder {
  private(set) var root: XMLElement?
  private(set) var failure: XMLError?
  private let parser: XML_Parser
  private let limits: XMLLimits
  private var open: [(element: XMLElement, text: [UInt8])] = []
  private var count = 0

  init(parser: XML_Parser, limits: XMLLimits) {
    self.parser = parser
    self.limits = limits
  }

  static func of(_ context: UnsafeMutableRawPointer?) -> XMLTreeBuilder? {
    context.map { Unmanaged<XMLTreeBuilder>.fromOpaque($0).takeUnretainedValue() }
  }

  func stop(_ reason: XMLError) {
    if failure == nil { failure = reason }
    XML_StopParser(parser, 0)
  }

  func start(
    _ name: UnsafePointer<CChar>?, _ attributes: UnsafeMutablePointer<UnsafePointer<CChar>?>?
  ) {
    guard failure == nil, let name else { return }
    var element = XMLElement(name: Self.local(name))
    count += 1
    var index = 0
    // Pairs of name and value, ended by a null pointer.
    while let attributes, let name = attributes[index], let value = attributes[index + 1] {
      if !Self.declaresNamespace(name) {
        element.attributes.append(XMLAttribute(Self.local(name), String(cString: value)))
      }
      index += 2
      count += 1
    }
    guard count <= limits.countMax, open.count < limits.depthMax else { return stop(.overLimit) }
    open.append((element, []))
  }

  func append(_ text: UnsafePointer<CChar>?, _ count: Int) {
    guard failure == nil, let text, !open.isEmpty else { return }
    open[open.count - 1].text.append(contentsOf: UnsafeRawBufferPointer(start: text, count: count))
  }

  func end() {
    guard failure == nil, let ended = open.popLast() else { return }
    var element = ended.element
    element.text = String(decoding: ended.text, as: UTF8.self)
    if open.isEmpty {
      root = element
    } else {
      open[open.count - 1].element.children.append(element)
    }
  }

  /// The name behind its prefix.
  private static func local(_ name: UnsafePointer<CChar>) -> String {
    let full = String(cString: name)
    guard let colon = full.utf8.lastIndex(of: UInt8(ascii: ":")) else { return full }
    return String(full[full.utf8.index(after: colon)...])
  }

  private static func declaresNamespace(_ name: UnsafePointer<CChar>) -> Bool {
    let full = String(cString: name)
    return full == "xmlns" || full.hasPrefix("xmlns:")
  }
}
