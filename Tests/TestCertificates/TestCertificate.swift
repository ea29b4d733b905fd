// Certificates made for one test: an authority, and what it signs.

private import COpenSSL
private import Glibc
package import Reactor

/// A key and its certificate, as PEM files in a folder of their own, which goes with them.
package final class TestCertificate: @unchecked Sendable {
  // Safe because OpenSSL's objects are only read after `init`.

  package let certificateFile: String
  package let keyFile: String
  private let folder: String
  private let key: OpaquePointer
  private let certificate: OpaquePointer

  package struct Failed: Error {}

  /// Makes a certificate for `names`, in the form of a subjectAltName extension such as
  /// `DNS:localhost,IP:127.0.0.1`; an authority when there is none.
  ///
  /// It is signed by `issuer`, or by itself.
  package init(
    _ commonName: String, names: String? = nil, issuer: TestCertificate? = nil,
    isRSA: Bool = false
  ) throws {
    var template = Array("/tmp/grange-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Failed() }
    folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    key = try Self.makeKey(isRSA: isRSA)
    guard let certificate = X509_new() else { throw Failed() }
    self.certificate = certificate
    certificateFile = folder + "/\(commonName).pem"
    keyFile = folder + "/\(commonName).key"
    X509_set_version(certificate, 2)
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), Int.random(in: 1...1_000_000_000))
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600)
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86_400)
    X509_set_pubkey(certificate, key)
    let name = X509_get_subject_name(certificate)
    // MBSTRING_ASC
    X509_NAME_add_entry_by_txt(name, "CN", 0x1001, commonName, -1, -1, 0)
    X509_set_issuer_name(certificate, issuer.map { X509_get_subject_name($0.certificate) } ?? name)
    if let names {
      try add(NID_subject_alt_name, names)
    } else {
      try add(NID_basic_constraints, "critical,CA:TRUE")
    }
    guard X509_sign(certificate, issuer?.key ?? key, EVP_sha256()) > 0 else { throw Failed() }
    try write()
  }

  deinit {
    X509_free(certificate)
    EVP_PKEY_free(key)
    unlink(certificateFile)
    unlink(keyFile)
    rmdir(folder)
  }

  package var files: TLSCertificateFiles {
    TLSCertificateFiles(certificate: certificateFile, key: keyFile)
  }

  private static func makeKey(isRSA: Bool) throws -> OpaquePointer {
    let context = EVP_PKEY_CTX_new_from_name(nil, isRSA ? "RSA" : "EC", nil)
    defer { EVP_PKEY_CTX_free(context) }
    var key: OpaquePointer?
    guard EVP_PKEY_keygen_init(context) == 1,
      isRSA || EVP_PKEY_CTX_set_group_name(context, "P-256") == 1,
      EVP_PKEY_generate(context, &key) == 1, let key
    else { throw Failed() }
    return key
  }

  private func add(_ kind: Int32, _ value: String) throws {
    guard let extension_ = X509V3_EXT_conf_nid(nil, nil, kind, value) else { throw Failed() }
    X509_add_ext(certificate, extension_, -1)
    X509_EXTENSION_free(extension_)
  }

  private func write() throws {
    guard let certificateOut = BIO_new_file(certificateFile, "w"),
      let keyOut = BIO_new_file(keyFile, "w")
    else { throw Failed() }
    PEM_write_bio_X509(certificateOut, certificate)
    PEM_write_bio_PrivateKey(keyOut, key, nil, nil, 0, nil, nil)
    BIO_free(certificateOut)
    BIO_free(keyOut)
  }

  /// Takes the place of the files of `other`.
  package func replaceFiles(of other: TestCertificate) {
    rename(certificateFile, other.certificateFile)
    rename(keyFile, other.keyFile)
  }
}
