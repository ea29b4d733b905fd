// Short texts in headers, queries and settings: tokens, escapes, dates, ranges, sizes, addresses.

import APICommon
import AdminAPI
import Base
import Codecs
import Crypto
import Daemon
import Model
import Reactor
import S3API

extension Fuzzer {
  /// Continuation tokens, IDs, and the codings that they are made of.
  static let tokens = Fuzzer(
    "tokens",
    of: [
      "Crypto/Base64", "Base/Hex", "Base/Identifier", "Codecs/PercentCoding", "Codecs/FormCoding",
      "S3API/ContinuationToken",
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

  /// Dates, ranges, copy sources, sizes, times, addresses and names.
  static let texts = Fuzzer(
    "texts",
    of: ["Base/CivilTime", "AdminAPI/DateText", "S3API/ByteRange", "Model/BucketName"]
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
    if let time = CivilTime(httpDate: text) {
      try require(CivilTime(time.wallTime) == time, "a date that is not its own time's")
      // The day of the week is read over.
      try require(
        time.httpDate.utf8.dropFirst(4).elementsEqual(text.utf8.dropFirst(4)),
        "two forms of an HTTP date")
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
