// XML and JSON documents.

import APICommon
import Codecs
import Model
import S3API

// MARK: XML

/// The document that a tree stands for; `nil` when it is none without the prefixes that it had.
private func document(_ element: XMLElement) -> [UInt8]? {
  guard isName(element.name), Set(element.attributes.map(\.name)).count == element.attributes.count
  else { return nil }
  var bytes = Array("<\(element.name)".utf8)
  for attribute in element.attributes {
    guard isName(attribute.name), !attribute.name.hasPrefix("xmlns") else { return nil }
    bytes += " \(attribute.name)='".utf8
    bytes += escaped(attribute.value)
    bytes += "'".utf8
  }
  bytes += ">".utf8
  bytes += escaped(element.text)
  for child in element.children {
    guard let child = document(child) else { return nil }
    bytes += child
  }
  return bytes + "</\(element.name)>".utf8
}

private func isName(_ text: String) -> Bool {
  text.utf8.first.map { (65...90).contains($0) || (97...122).contains($0) } ?? false
}

private func escaped(_ text: String) -> [UInt8] {
  text.utf8.flatMap { byte in
    (0x20...0x25).contains(byte) || (0x28...0x3B).contains(byte) || byte >= 0x3F
      ? [byte] : Array("&#\(byte);".utf8)
  }
}

extension XMLElement {
  fileprivate var depth: Int { 1 + (children.map(\.depth).max() ?? 0) }
  fileprivate var count: Int { 1 + attributes.count + children.reduce(0) { $0 + $1.count } }
}

extension Fuzzer {
  static let xml = Fuzzer(
    "xml", of: ["Codecs/XMLParser", "Codecs/XMLElement", "S3API/Requests/RequestDocument"]
  ) { input in
    let limits = XMLLimits(bytesMax: 1 << 16, depthMax: 8, countMax: 100)
    if !input.isEmpty {
      let shorter = XMLLimits(bytesMax: input.count - 1)
      try require((try? XMLParser.parse(input, limits: shorter)) == nil, "a document too long")
    }
    if let root = try? XMLParser.parse(input, limits: limits) {
      try require(root.depth <= 8 && root.count <= 100, "a tree above the limits")
      if let bytes = document(root) {
        let again = try? XMLParser.parse(bytes, limits: XMLLimits())
        try require(again == root, "written and parsed again: \(String(describing: again))")
      }
      try checkRequest(input)
    }
    if let text = String(validating: input, as: UTF8.self),
      input.allSatisfy({ $0 >= 0x20 || [9, 10, 13].contains($0) }),
      !text.unicodeScalars.contains(where: { $0.value == 0xFFFE || $0.value == 0xFFFF })
    {
      var writer = XMLWriter()
      writer.element("a", ["b": text]) { $0.element("c", text) }
      let root = try XMLParser.parse(writer.bytes)
      try require(
        root.text(of: "c") == text && root.attribute("b") == text, "text written and parsed")
    }
  }

  /// The documents of S3's requests.
  private static func checkRequest(_ input: [UInt8]) throws {
    if let root = try? RequestDocument.parse(input, root: "Delete"),
      let deletion = try? DeletionDocument(root)
    {
      try require((1...1000).contains(deletion.objects.count), "\(deletion.objects.count) objects")
      for object in deletion.objects {
        if case .success(let key) = object.key {
          try require(key.bytes == Array(object.text.utf8), "a key that was not sent")
        }
      }
    }
    if let root = try? RequestDocument.parse(input, root: "CompleteMultipartUpload"),
      let parts = try? NamedPart.all(in: root)
    {
      try require((1...10_000).contains(parts.count), "\(parts.count) parts")
      for part in parts {
        try require(!part.etag.contains("\""), "an ETag with quotes")
        for checksum in part.checksums {
          try require(
            checksum.value.count == checksum.algorithm.byteCount, "the length of a checksum")
        }
      }
    }
    if let root = try? RequestDocument.parse(input, root: "CreateBucketConfiguration") {
      _ = root.text(of: "LocationConstraint")
    }
  }

  // MARK: JSON

  static let json = Fuzzer(
    "json", of: ["Codecs/JSONParser", "Codecs/JSON", "Codecs/JSONSerializer"]
  ) { input in
    do throws(JSONError) {
      let value = try JSON.parse(input, limits: JSON.Limits(bytesMax: 1 << 16, depthMax: 8))
      for pretty in [false, true] {
        let again = Result { () throws(JSONError) in try JSON.parse(value.bytes(pretty: pretty)) }
        if (try? again.get()) != value { throw JSONError(reason: .tooLong, offset: -1) }
      }
      let text = value.serialize()
      let hasControl = text.utf8.contains { $0 < 0x20 || $0 == 0x7F }
      if hasControl || depth(value) > 8 { throw JSONError(reason: .tooDeep, offset: -1) }
    } catch {
      try require(error.offset >= 0 && error.offset <= input.count, "a broken property: \(error)")
      try require(
        !error.description.utf8.contains { $0 < 0x20 || $0 == 0x7F } || isName(error), "\(error)")
    }
    if let value = try? JSON.parse(input) { try checkAccess(value) }
    if let text = String(validating: input, as: UTF8.self) {
      let value: JSON = [.string(text), ["n": .string(text)]]
      try require((try? JSON.parse(value.bytes())) == value, "text written and parsed")
    }
  }

  /// The name that came twice is shown as it came.
  private static func isName(_ error: JSONError) -> Bool {
    if case .duplicateName = error.reason { true } else { false }
  }

  /// One of the accessors finds the value, and the others do not.
  private static func checkAccess(_ value: JSON) throws {
    let found = [
      value.isNull, value.string != nil, value.integer != nil || value.double != nil,
      value.bool != nil,
      value.array != nil, value.members != nil,
    ]
    try require(found.count { $0 } == 1, "one value of two types")
    try require((value == (nil as JSON)) == value.isNull && value == value, "equality")
    try require((value == 7) == (value.integer == 7), "equality with a number")
    try require((value == "text") == (value.string == "text"), "equality with a text")
    try require((value.double == nil) == !found[2], "a number of either type")
    try require(JSON.optional(nil).isNull && JSON.count(.max).integer == nil, "what is no value")
    if let number = value.integer.flatMap({ UInt64(exactly: $0) }) {
      try require(JSON.count(number) == value, "a count")
    }
    if let text = value.string {
      try require(JSON.optional(text) == value && value != false, "a text")
    }
    for (index, element) in (value.array ?? []).enumerated() {
      try require(value[index] == element, "an element that its index does not find")
    }
    for member in value.members ?? [] {
      try require(value[member.name] == member.value, "a member that its name does not find")
    }
    try require(value[""] == nil || value.members != nil, "a member of no object")
    try require(value[1 << 40] == nil, "an element of no array")
    try require((try? JSON.parse(value.serialize())) == value, "the text of a value")
  }

  private static func depth(_ value: JSON) -> Int {
    switch value {
    case .array(let elements): 1 + (elements.map(depth).max() ?? 0)
    case .object(let members): 1 + (members.map { depth($0.value) }.max() ?? 0)
    default: 0
    }
  }
}
