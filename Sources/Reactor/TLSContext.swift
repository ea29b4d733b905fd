// What the TLS connections of one listener, or one kind of client, have in common: certificates, keys, authorities.
//
// `reload` reads the files again and, if they are good, gives the result to connections that are made from then on.
// OpenSSL counts references to its context, so those that exist keep theirs.

private import COpenSSL
private import Synchronization

/// Why a certificate or key cannot be used.
package struct TLSContextError: Error, CustomStringConvertible, Sendable {
  /// The file, or what it is about.
  package let subject: String
  package let reason: String

  package var description: String { "cannot use \(subject): \(reason)" }

  /// The oldest error in OpenSSL's queue, in its words.
  static func nextReason() -> String {
    let code = ERR_get_error()
    guard code != 0, let text = ERR_reason_error_string(code) else { return "unknown TLS error" }
    return String(cString: text)
  }

  static func next(_ subject: String) -> TLSContextError {
    TLSContextError(subject: subject, reason: nextReason())
  }
}

/// A certificate chain and its private key, in PEM.
package struct TLSCertificateFiles: Sendable {
  package var certificate: String
  package var key: String

  package init(certificate: String, key: String) {
    self.certificate = certificate
    self.key = key
  }
}

/// How clients check the server.
package enum TLSAuthorities: Sendable {
  /// Against the system's certificate authorities.
  case system
  /// Against the authorities in this PEM file alone.
  case file(String)
  /// Not at all: whoever answers is believed.
  case unverified
}

/// The settings of TLS connections, of either side.
package final class TLSContext: Sendable {
  private enum Role: Sendable {
    case server(TLSCertificateFiles, clients: String?)
    case client(TLSAuthorities, TLSCertificateFiles?)
  }

  private let role: Role
  private let current: Mutex<TLSHandle>

  /// For a listener.
  ///
  /// Reads the files, and so blocks for a moment.
  ///
  /// - Parameter clientAuthorities: a PEM file of authorities, of which every client must show a certificate; `nil`
  ///   asks for none.
  /// - Throws: `TLSContextError`.
  package static func server(
    _ files: TLSCertificateFiles, clientAuthorities: String? = nil
  ) throws -> TLSContext {
    try TLSContext(.server(files, clients: clientAuthorities))
  }

  /// For connecting, with a certificate of our own where servers ask for one.
  ///
  /// Reads the files, and so blocks for a moment.
  ///
  /// - Throws: `TLSContextError`.
  package static func client(
    authorities: TLSAuthorities = .system, certificate: TLSCertificateFiles? = nil
  ) throws -> TLSContext {
    try TLSContext(.client(authorities, certificate))
  }

  private init(_ role: Role) throws {
    self.role = role
    current = Mutex(try Self.load(role))
  }

  /// Reads the files again, for connections made from now on.
  ///
  /// Blocks for a moment.
  ///
  /// - Throws: `TLSContextError`; the settings stay as they were then.
  package func reload() throws {
    let fresh = try Self.load(role)
    current.withLock { $0 = fresh }
  }

  // MARK: Engines

  func makeServerEngine() throws -> TLSEngine {
    guard case .server = role else { preconditionFailure("a client's context given to a server") }
    let (ssl, engine) = try makeEngine()
    SSL_set_accept_state(ssl)
    return engine
  }

  func makeClientEngine(serverName: String) throws -> TLSEngine {
    guard case .client(let authorities, _) = role else {
      preconditionFailure("a server's context given to a client")
    }
    // To OpenSSL an empty name means any, one with a dot in front any below it, and a zero byte ends a name.
    guard !serverName.isEmpty, !serverName.hasPrefix("."), !serverName.utf8.contains(0) else {
      throw StreamError.tls(reason: "\"\(serverName)\" is no name of a server")
    }
    let (ssl, engine) = try makeEngine()
    SSL_set_connect_state(ssl)
    let isAddress = SocketAddress(ip: serverName, port: 0) != nil
    if !isAddress {
      // SSL_set_tlsext_host_name; an address is not sent (RFC 6066, section 3).
      var name = Array(serverName.utf8CString)
      SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, Int(TLSEXT_NAMETYPE_host_name), &name)
    }
    if case .unverified = authorities { return engine }
    let parameters = SSL_get0_param(ssl)
    X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
    let isSet =
      isAddress
      ? X509_VERIFY_PARAM_set1_ip_asc(parameters, serverName)
      : X509_VERIFY_PARAM_set1_host(parameters, serverName, 0)
    guard isSet == 1 else { throw StreamError.tls(reason: "\(serverName) cannot be verified") }
    return engine
  }

  private func makeEngine() throws -> (OpaquePointer, TLSEngine) {
    try current.withLock { $0 }.makeEngine()
  }

  // MARK: Loading

  private static func load(_ role: Role) throws -> TLSHandle {
    // TLS 1.0 and 1.1 are deprecated (RFC 8996).
    let handle = try TLSHandle(oldestVersion: TLS1_2_VERSION, protocols: ["http/1.1"])
    let pointer = handle.pointer
    switch role {
    case .server(let files, let clientAuthorities):
      guard SSL_CTX_set_cipher_list(pointer, serverCiphers) == 1 else {
        throw TLSContextError.next("the ciphers of TLS 1.2")
      }
      try use(files, in: pointer)
      if let clientAuthorities {
        try trust(.file(clientAuthorities), in: pointer)
        SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
        // Without a name of its own OpenSSL lets no client resume that it has verified.
        let name = handle.protocols.list
        SSL_CTX_set_session_id_context(pointer, name, UInt32(name.count))
      }
      // One ticket: a client that opens several connections at once is rare, and each costs a signature's share.
      SSL_CTX_set_num_tickets(pointer, 1)
    case .client(let authorities, let files):
      try trust(authorities, in: pointer)
      if let files { try use(files, in: pointer) }
      // Returns 0 for success, unlike its siblings.
      SSL_CTX_set_alpn_protos(pointer, handle.protocols.list, UInt32(handle.protocols.list.count))
    }
    return handle
  }

  private static func use(_ files: TLSCertificateFiles, in context: OpaquePointer) throws {
    guard SSL_CTX_use_certificate_chain_file(context, files.certificate) == 1 else {
      throw TLSContextError.next("the certificate \(files.certificate)")
    }
    guard SSL_CTX_use_PrivateKey_file(context, files.key, SSL_FILETYPE_PEM) == 1,
      SSL_CTX_check_private_key(context) == 1
    else { throw TLSContextError.next("the private key \(files.key)") }
  }

  private static func trust(_ authorities: TLSAuthorities, in context: OpaquePointer) throws {
    switch authorities {
    case .unverified:
      SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
      return
    case .system:
      guard SSL_CTX_set_default_verify_paths(context) == 1 else {
        throw TLSContextError.next("the system's certificate authorities")
      }
    case .file(let path):
      guard SSL_CTX_load_verify_locations(context, path, nil) == 1 else {
        throw TLSContextError.next("the certificate authorities \(path)")
      }
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
  }

  /// What is spoken under TLS 1.2: only suites with forward secrecy and authenticated encryption.
  ///
  /// Every client of the last ten years has them (RFC 9325, section 4.2). TLS 1.3 has no others.
  private static let serverCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20"
}
