// Signature Version 4: what is claimed, the canonical request, and that what was signed is verified and what was
// changed is not.

import APICommon
import Base
import Codecs
import HTTP
import SimulatedWorld

private let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
private let region = "grange"
private let verifier = SignatureVerifier(region: region)
private let signer = RequestSigner(
  accessKeyID: "GK0123456789abcdef01234567", secret: secret, region: region)

/// The head in `input`; `nil` when there is none.
func requestHead(_ input: [UInt8]) -> HTTPRequestHead? {
  var parser = RequestParser(limits: HeadLimits(headMaxBytes: 16 << 10, fieldCountMax: 100))
  return input.withUnsafeBytes { try? parser.parse($0)?.head }
}

/// Reads, checks and verifies the claim of a head; `nil` when it has none or it is refused before the signature counts.
private func verified(
  _ head: HTTPRequestHead, now: WallTime? = nil
) throws(S3Error) -> Result<VerifiedSignature, S3Error>? {
  let target = try RequestTarget(head)
  guard let claim = try SignatureClaim.read(head, target) else { return nil }
  try verifier.check(claim, head, target, now: now ?? claim.time.wallTime)
  return Result { () throws(S3Error) in
    try verifier.verify(
      claim, head, target, secret: secret, bodySHA256: [UInt8](repeating: 1, count: 32))
  }
}

extension Fuzzer {
  static let sigV4 = Fuzzer(
    "sigv4",
    of: [
      "APICommon/SignatureClaim", "APICommon/SignatureVerifier", "APICommon/CanonicalRequest",
      "APICommon/RequestTarget", "APICommon/RepeatedFields", "APICommon/PayloadIntegrity",
      "APICommon/SigningKey", "APICommon/SignedHeaderNames", "APICommon/BodyClaims", "Base/Bytes",
    ]
  ) { input in
    guard let head = requestHead(input) else { return }
    try checkClaim(head)
    let random = choices(input)
    let time = WallTime(milliseconds: Int64(random.below(4_000_000_000)) * 1000)
    if random.below(2) == 0 {
      try checkHeaderSignature(head, at: time, random)
    } else {
      try checkPresigned(head, at: time, random)
    }
  }

  /// What the head claims by itself, whoever made it.
  private static func checkClaim(_ head: HTTPRequestHead) throws {
    guard let target = try? RequestTarget(head) else { return }
    _ = try? BodyClaims(head.headers, contentLength: 7, signature: nil)
    guard let claim = try? SignatureClaim.read(head, target) else { return }
    try require(claim.signature.count == 32, "no signature of 64 digits")
    let names = claim.signedHeaders.text.split(separator: 0x3B, omittingEmptySubsequences: false)
    try require(
      Set(names).count == names.count && names.count <= 128 && !names.contains([]), "signed headers"
    )
    try require(claim.time.basicDay == claim.scope.day, "a day that is not the scope's")
    if case .query(let expiry) = claim.form {
      try require((1...604_800).contains(expiry), "\(expiry) seconds")
    }
    for skew: Int64 in [-1_000_000, 0, 1_000_000, 1_000_000_000] {
      let now = WallTime(milliseconds: claim.time.wallTime.milliseconds + skew)
      if let result = try? verified(head, now: now), case .success(let signature) = result {
        _ = try? BodyClaims(head.headers, contentLength: nil, signature: signature)
      }
    }
    guard claim.form == .header else { return }
    // One line each: method, path, query, headers, an empty one, names, hash. Anything more could be read otherwise.
    let bytes = CanonicalRequest.make(
      method: head.method, target: target, headers: head.headers,
      signedHeaders: claim.signedHeaders,
      payloadHash: [0x78])
    try require(
      bytes.count { $0 == 10 } == 5 + names.count, "lines of the canonical request")
  }

  /// The head without what signs it.
  private static func unsigned(_ head: HTTPRequestHead) -> HTTPHeaders {
    var headers = head.headers
    for name in ["authorization", "x-amz-date", "x-amz-content-sha256", "date"] {
      headers.remove(name)
    }
    if !headers.contains("host") { headers.append("host", "a") }
    return headers
  }

  private static func checkHeaderSignature(
    _ head: HTTPRequestHead, at time: WallTime, _ random: SeededRandom
  ) throws {
    guard let target = try? RequestTarget(head) else { return }
    var headers = unsigned(head)
    let payload = [
      PayloadIntegrity.unsignedText, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
      "STREAMING-UNSIGNED-PAYLOAD-TRAILER", String(repeating: "ab", count: 32),
    ][random.below(4)]
    signer.sign(
      method: head.method, target: target, headers: &headers, payloadHash: payload, at: time)
    let signed = HTTPRequestHead(method: head.method, target: head.target, headers: headers)
    guard let result = try? verified(signed) else { return }
    try require((try? result.get()) != nil, "what was signed is refused: \(result)")
    var changed = headers
    let name = headers[random.below(headers.count)].name
    changed.set(name, (headers[name] ?? "") + "0")
    try refuses(
      HTTPRequestHead(method: head.method, target: head.target, headers: changed), "header \(name)")
    try refuses(
      HTTPRequestHead(method: head.method + "X", target: head.target, headers: headers), "method")
    let separator = head.target.utf8.contains(UInt8(ascii: "?")) ? "&" : "?"
    try refuses(
      HTTPRequestHead(method: head.method, target: head.target + separator + "q", headers: headers),
      "query")
  }

  private static func refuses(_ head: HTTPRequestHead, _ what: String) throws {
    guard let result = try? verified(head) else { return }
    try require((try? result.get()) == nil, "another \(what) has the same signature")
  }

  private static func checkPresigned(
    _ head: HTTPRequestHead, at time: WallTime, _ random: SeededRandom
  ) throws {
    guard let target = try? RequestTarget(head), !target.has("X-Amz-Content-Sha256") else { return }
    let headers = unsigned(head)
    let url = signer.presign(
      method: head.method, target: target, headers: headers,
      expirySeconds: 1 + random.below(604_800), at: time)
    let presigned = HTTPRequestHead(method: head.method, target: url, headers: headers)
    guard let result = try? verified(presigned) else { return }
    try require((try? result.get()) != nil, "what was presigned is refused: \(result)")
    try refuses(HTTPRequestHead(method: head.method, target: url + "&q", headers: headers), "query")
  }
}
