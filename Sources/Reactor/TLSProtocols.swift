// Application protocols, agreed on during the handshake (ALPN, RFC 7301).

private import COpenSSL

/// The protocols that one kind of connection may speak.
final class TLSProtocols: Sendable {
  /// Their names in the wire form: each with its length in front.
  let list: [UInt8]

  /// Names of 1 to 255 bytes, which are constants of the program.
  init(_ names: [String]) {
    precondition(names.allSatisfy { (1...255).contains($0.utf8.count) }, "no name of a protocol")
    list = names.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
  }

  /// Lets `context`, which must not outlive this object, choose one on the server's side.
  ///
  /// A client that offers only others is refused, as RFC 7301 asks; one that offers none gets none.
  func install(in context: OpaquePointer) {
    SSL_CTX_set_alpn_select_cb(
      context,
      { _, chosen, chosenLength, offers, offersLength, protocols in
        guard let offers, let protocols else { return SSL_TLSEXT_ERR_ALERT_FATAL }
        let list = UnsafeBufferPointer(start: offers, count: Int(offersLength))
        let choice = Unmanaged<TLSProtocols>.fromOpaque(protocols)
          ._withUnsafeGuaranteedRef { $0.choice(from: list) }
        guard let choice else { return SSL_TLSEXT_ERR_ALERT_FATAL }
        chosen?.pointee = offers + choice.lowerBound
        chosenLength?.pointee = UInt8(choice.count)
        return SSL_TLSEXT_ERR_OK
      }, Unmanaged.passUnretained(self).toOpaque())
  }

  /// Where in `offers` the first name is that is one of ours.
  private func choice(from offers: UnsafeBufferPointer<UInt8>) -> Range<Int>? {
    Self.names(in: offers).first { offer in
      list.withUnsafeBufferPointer { list in
        Self.names(in: list).contains { list[$0].elementsEqual(offers[offer]) }
      }
    }
  }

  /// The places of the names in a list in the wire form, up to where it is malformed.
  private static func names(in list: UnsafeBufferPointer<UInt8>) -> [Range<Int>] {
    var places: [Range<Int>] = []
    var position = 0
    while position < list.count {
      let start = position + 1
      let end = start + Int(list[position])
      guard end <= list.count else { break }
      places.append(start..<end)
      position = end
    }
    return places
  }
}
