// Where a node can be reached, as tokens and announcements carry it.
//
//   192.0.2.7:3901          IPv4: 7 bytes
//   [2001:db8::7]:3901      IPv6: 19 bytes
//   home.example.org:3901   a host name: 4 bytes and the name
//
// Which addresses are believed is the address book's question; here any is one but those without a port.

private import Base
import Codecs
private import Glibc

/// An address of a node, or a host name, with a port.
package enum PeerAddress: Hashable, Sendable {
  /// First byte highest.
  case ipv4(UInt32, port: UInt16)
  /// First byte highest.
  case ipv6(high: UInt64, low: UInt64, port: UInt16)
  /// Looked up before each dial.
  case name(String, port: UInt16)

  /// The longest host name (RFC 1035, section 2.3.4, as text).
  package static let nameBytesMax = 253

  /// Reads `host:port`; `nil` for anything else, port 0 and names with odd characters included.
  package init?(_ text: String) {
    guard text.utf8.count <= Self.nameBytesMax + 8, let colon = text.lastIndex(of: ":"),
      let port = UInt16(digits: text[text.index(after: colon)...].utf8), port > 0
    else { return nil }
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
      guard let words = Self.ipv6(String(host)) else { return nil }
      self = .ipv6(high: words.high, low: words.low, port: port)
    } else if let address = Self.ipv4(String(host)) {
      self = .ipv4(address, port: port)
    } else {
      guard Self.isName(host) else { return nil }
      self = .name(String(host), port: port)
    }
  }

  /// `host:port`, with brackets around IPv6.
  package var text: String {
    switch self {
    case .ipv4(let address, let port):
      let bytes = [24, 16, 8, 0].map { String(address >> UInt32($0) & 255) }
      return bytes.joined(separator: ".") + ":\(port)"
    case .ipv6(let high, let low, let port):
      return "[\(Self.text(high: high, low: low))]:\(port)"
    case .name(let name, let port): return "\(name):\(port)"
    }
  }

  /// How many bytes it takes.
  package var encodedBytes: Int {
    switch self {
    case .ipv4: 7
    case .ipv6: 19
    // A name of more than 127 bytes has a count of two.
    case .name(let name, _): 3 + (name.utf8.count < 128 ? 1 : 2) + name.utf8.count
    }
  }

  func write(to writer: inout BinaryWriter) {
    switch self {
    case .ipv4(let address, let port):
      writer.u8(Form.ipv4)
      writer.u32(address)
      writer.u16(port)
    case .ipv6(let high, let low, let port):
      writer.u8(Form.ipv6)
      writer.u64(high)
      writer.u64(low)
      writer.u16(port)
    case .name(let name, let port):
      writer.u8(Form.name)
      writer.string(name)
      writer.u16(port)
    }
  }

  init(from reader: inout BinaryReader) throws(BinaryError) {
    let port: UInt16
    switch try reader.u8() {
    case Form.ipv4:
      let address = try reader.u32()
      port = try reader.u16()
      self = .ipv4(address, port: port)
    case Form.ipv6:
      let (high, low) = (try reader.u64(), try reader.u64())
      port = try reader.u16()
      self = .ipv6(high: high, low: low, port: port)
    case Form.name:
      let name = try reader.string(max: Self.nameBytesMax)
      port = try reader.u16()
      guard Self.isName(name), Self.ipv4(name) == nil else { throw .invalidValue }
      self = .name(name, port: port)
    default: throw .invalidValue
    }
    if port == 0 { throw .invalidValue }
  }

  /// The first byte of each form, named by the family it is of.
  private enum Form {
    static let name: UInt8 = 1
    static let ipv4: UInt8 = 4
    static let ipv6: UInt8 = 6
  }

  /// Whether `text` can be looked up.
  ///
  /// Letters, digits, hyphens and underscores between single dots, and no number at the end, which programs would take
  /// for a part of an address.
  private static func isName(_ text: some StringProtocol) -> Bool {
    guard (1...nameBytesMax).contains(text.utf8.count) else { return false }
    let labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    for label in labels {
      // The longest label of DNS.
      guard (1...63).contains(label.count), label.allSatisfy(isNameByte) else { return false }
    }
    return labels.last.map { !$0.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")) ~= $0 } }
      ?? false
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    let letter = byte.asciiLowercased
    return (UInt8(ascii: "a")...UInt8(ascii: "z")) ~= letter
      || (UInt8(ascii: "0")...UInt8(ascii: "9")) ~= byte
      || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
  }

  private static func ipv4(_ text: String) -> UInt32? {
    // C would read no further than a NUL.
    var address = in_addr()
    guard !text.utf8.contains(0), inet_pton(AF_INET, text, &address) == 1 else { return nil }
    return UInt32(bigEndian: address.s_addr)
  }

  private static func ipv6(_ text: String) -> (high: UInt64, low: UInt64)? {
    var address = in6_addr()
    guard !text.utf8.contains(0), inet_pton(AF_INET6, text, &address) == 1 else { return nil }
    return withUnsafeBytes(of: &address) { bytes in
      (
        UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
        UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
      )
    }
  }

  private static func text(high: UInt64, low: UInt64) -> String {
    var address = in6_addr()
    withUnsafeMutableBytes(of: &address) { bytes in
      bytes.storeBytes(of: high.bigEndian, as: UInt64.self)
      bytes.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
    }
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    inet_ntop(AF_INET6, &address, &text, socklen_t(text.count))
    return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}

extension PeerAddress: CustomStringConvertible {
  package var description: String { text }
}
