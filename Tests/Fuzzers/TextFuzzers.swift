// Short texts in headers, queries and settings: tokens, escapes, dates, ranges, sizes, addresses.

import APICommon
import AdminAPI
import Base
import Codecs
import Crypto
import Daemon
import HTTP
import Model
import Reactor
import S3API

extension Fuzzer {
  /// Continuation tokens, IDs, and the codings that they are made of.
  static let tokens = Fuzzer(
    "tokens",
    of: [
      "Crypto/Base64", "Base/Hex", "Base/Identifier", "Codecs/PercentCoding", "Codecs/FormCoding",
      "S3API/Listings/ContinuationToken",
    ]
  ) { input in
    try require(Base64.decode(Base64.encode(input)) == input, "base 64 of bytes")
    try require(Hex.decode(Hex.encode(input)) == input, "hexadecimal of bytes")
    for allowed in [PercentCoding.AllowedBytes.unreserved, .unreservedAndSlash] {
      let escaped = PercentCoding.encode(input, allowed: allowed)
      try require(PercentCoding.decode(escaped.utf8) == input, "percent coding of bytes")
    }
    for position in [ListPosition.afterKey(input), .afterPrefix(input)]
    where input.count <= ObjectKey.bytesMax {
      let token = ContinuationToken.encode(position) ?? ""
      try require((try? ContinuationToken.decode(token)) == position, "the token of a position")
    }
    try checkForm(input)
    guard let text = String(validating: input, as: UTF8.self) else { return }
    if let bytes = Base64.decode(text) {
      try require(Base64.encode(bytes).utf8.elementsEqual(text.utf8), "two forms of base 64")
    }
    if let bytes = Hex.decode(text) {
      try require(Hex.encode(bytes) == text.lowercased(), "two forms of hexadecimal")
    }
    if let position = try? ContinuationToken.decode(text) {
      try require(ContinuationToken.encode(position) == text, "two tokens of one position")
    }
    if let id = UploadID(hex: text) {
      try require(id.hex == text.lowercased(), "two forms of an upload's ID")
    }
    if let id = BucketID(hex: text) {
      try require(id.hex == text.lowercased(), "two forms of a bucket's ID")
    }
    if let id = UploadID(input) { try require(id.bytes == input, "an ID of other bytes") }
    if let id = BlockHash(input) {
      try require(id.bytes == input && id.firstByte == input[0], "a hash of other bytes")
    }
  }

  private static func checkForm(_ input: [UInt8]) throws {
    for plusIsSpace in [false, true] {
      if let decoded = PercentCoding.decode(input, plusIsSpace: plusIsSpace) {
        try require(decoded.count <= input.count, "percent coding grows")
      }
      guard let fields = FormCoding.parse(input, plusIsSpace: plusIsSpace, countMax: 20) else {
        continue
      }
      try require(fields.count <= 20, "more fields than the limit")
      let again = FormCoding.parse(FormCoding.serialize(fields).utf8, plusIsSpace: plusIsSpace)
      try require(again == fields, "fields written and parsed")
    }
  }

  /// The text of user metadata, decoded and encoded.
  static let encodedWords = Fuzzer(
    "encoded-words", of: ["S3API/Objects/EncodedWords", "S3API/Objects/ObjectHeaders"]
  ) { input in
    let text = EncodedWords.decode(input)
    try require(String(validating: text, as: UTF8.self) != nil, "decoded to what is not UTF-8")
    // A character of Latin-1 takes two bytes in UTF-8, and base 64 is longer than its bytes.
    try require(text.count <= 2 * input.count, "a text that grows")
    if !input.contains(UInt8(ascii: "=")), String(validating: input, as: UTF8.self) != nil {
      try require(text == input, "plain text is changed")
    }
    for value in [text, input] {
      let field = EncodedWords.encode(value)
      try require(
        field.allSatisfy { (0x20...0x7E).contains($0) || $0 == 0x09 }
          && ![0x20, 0x09].contains(field.first) && ![0x20, 0x09].contains(field.last),
        "no value of a field")
      guard EncodedWords.needsEncoding(value) else {
        try require(field == value, "plain text is encoded")
        continue
      }
      try require(
        field.split(separator: 0x20).allSatisfy { $0.count <= 75 && $0.starts(with: "=?".utf8) },
        "a word that is none or too long")
      let again = EncodedWords.decode(field)
      let isText = String(validating: value, as: UTF8.self) != nil
      try require(!isText || again == value, "text encoded and decoded")
      try require(EncodedWords.encode(again) == field, "two encodings of one text")
    }
    try checkMetadata(input)
  }

  /// Metadata as it is stored and given back, and stored again.
  private static func checkMetadata(_ input: [UInt8]) throws {
    var headers = HTTPHeaders()
    headers.append("x-amz-meta-a", valueBytes: input)
    guard let kept = try? ObjectHeaders.read(headers) else { return }
    try require(
      kept.count == 1 && kept[0].value.count + 1 <= 2048, "metadata above the limit, or none")
    headers = HTTPHeaders()
    headers.append("x-amz-meta-a", valueBytes: EncodedWords.encode(kept[0].value))
    // Text that spells an encoded word itself is given back as it is.
    if EncodedWords.needsEncoding(kept[0].value) {
      try require(try ObjectHeaders.read(headers) == kept, "metadata read and written again")
    }
  }

  /// Dates, ranges, copy sources, sizes, times, addresses and names.
  static let texts = Fuzzer(
    "texts",
    of: [
      "Base/CivilTime", "Base/CivilTime+HTTPDate", "AdminAPI/DateText", "S3API/Objects/ByteRange",
      "Model/Buckets/BucketName",
    ]
  ) { input in
    guard let text = String(validating: input, as: UTF8.self) else { return }
    try checkDates(text)
    try checkRange(text)
    try checkRange("bytes=" + text)
    try checkCopySource(text)
    if let size = ByteSize.parse(text) {
      try require(!ByteSize.describe(size).isEmpty, "no words for a size")
      try require(ByteSize.parse("\(size)") == size, "a size in bytes")
    }
    if let duration = Duration(text: text) {
      try require(Duration(text: duration.text) == duration, "a time written and read")
    }
    try checkAddresses(text)
    if (try? BucketName.check(text)) != nil {
      try require(
        (3...63).contains(input.count) && input.allSatisfy { $0 < 0x80 }, "a bucket's name")
    }
    if let key = try? ObjectKey(input) {
      try require(key.bytes == input && key.string == text, "a key")
    }
  }

  private static func checkDates(_ text: String) throws {
    let now = WallTime(milliseconds: 784_111_777_000)
    if let time = CivilTime(anyHTTPDate: text, now: now) {
      try require(CivilTime(time.wallTime) == time, "a date that is not its own time's")
      try require(isForm(of: time, text), "two forms of an HTTP date")
    }
    if let time = CivilTime(httpDate: text) {
      try require(CivilTime(anyHTTPDate: text, now: now) == time, "two readings of an HTTP date")
    }
    if let time = CivilTime(basic: text) {
      try require(
        time.basic == text && CivilTime(time.wallTime) == time, "two forms of a basic date")
      try require(CivilTime(httpDate: time.httpDate) == time, "an HTTP date written and read")
      try require(DateText.parse(time.iso8601) == time.wallTime, "an ISO date written and read")
    }
    if let time = DateText.parse(text) {
      let whole = WallTime(milliseconds: time.seconds * 1000)
      try require(CivilTime(whole).wallTime == whole, "a date that is not its own time's")
      try require(DateText.parse(CivilTime(whole).iso8601) == whole, "an ISO date written and read")
    }
  }

  /// Whether `text` is a form of `time` that HTTP has; the day of the week and, of an IMF-fixdate, the zone are read over.
  private static func isForm(of time: CivilTime, _ text: String) -> Bool {
    let words = time.httpDate.split(separator: " ")
    let (day, month, year, clock) = (words[1], words[2], words[3], words[4])
    let days = day.first == "0" ? ["\(day)", " \(day.dropFirst())"] : ["\(day)"]
    return text.utf8.dropFirst(4).starts(with: " \(day) \(month) \(year) \(clock) ".utf8)
      || text.utf8.suffix(24).elementsEqual(", \(day)-\(month)-\(year.suffix(2)) \(clock) GMT".utf8)
      || days.contains {
        text.utf8.dropFirst(3).elementsEqual(" \(month) \($0) \(clock) \(year)".utf8)
      }
  }

  private static func checkAddresses(_ text: String) throws {
    if let address = SocketAddress(parsing: text) {
      try require(
        SocketAddress(parsing: "\(address)") == address, "an address written and read: \(address)")
      _ = (address.unmapped, address.isAny, address.isLoopback, address.with(port: 1).port)
    }
    if let address = SocketAddress(ip: text, port: 1) {
      try require(!text.utf8.contains(0), "an address with a NUL")
      try require(
        SocketAddress(ip: address.host, port: 1) == address, "an IP address written and read")
      let network = IPNetwork(text)
      try require(network?.contains(address) ?? false, "a network of one address without it")
    }
    _ = IPNetwork(text)
    if let pair = HostAndPort(parsing: text, defaultPort: 1) {
      try require(!pair.host.isEmpty, "no host")
    }
  }
}
