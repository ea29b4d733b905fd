// How two nodes find out what the other one does not hold.
//
// They compare digests. If these differ, one sends the short IDs of what it holds with a number that it just drew, and
// is sent what is not among them; then the other way round. Short IDs are hashes that the number changes: a pair of
// records made to have one short ID is told apart the next time.

package import Base
private import Crypto

extension ClusterState {
  /// The length of `digest`.
  package static let digestBytes = 16

  /// The same on two nodes if they hold the same records, and else another one.
  ///
  /// The first 16 bytes of the BLAKE2b-512 of all records' IDs, ascending.
  package var digest: [UInt8] {
    let digest = Digest(.blake2b512)
    digest.update(Self.concatenated(ids))
    return Array(digest.finish()[..<Self.digestBytes])
  }

  /// The short IDs of all records that are held, ascending.
  package func shortIDs(salt: UInt64) -> [UInt64] {
    ids.map { Self.shortID($0, salt) }.sorted()
  }

  /// The records that are held here and whose short IDs are not among `shortIDs`, in the order in which one may
  /// take them one by one.
  ///
  /// - Parameters:
  ///   - shortIDs: In any order.
  ///   - bytesMax: As many records as have so many bytes in all, and one at least: the rest is for the next time.
  package func missing(
    from shortIDs: [UInt64], salt: UInt64, bytesMax: Int = .max
  ) -> [[UInt8]] {
    let theirs = Set(shortIDs)
    var result: [[UInt8]] = []
    var count = 0
    for id in idsInOrder where !theirs.contains(Self.shortID(id, salt)) {
      guard let bytes = records[id]?.bytes else { continue }
      if !result.isEmpty, bytes.count > bytesMax - count { break }
      count += bytes.count
      result.append(bytes)
    }
    return result
  }

  /// Why `key` is a member, or is none any more.
  ///
  /// The admissions and endings of it, then of their signers, of the signers of these, and so on up to the founder. Nothing
  /// for one that was never admitted. They tell nothing of members on which this does not depend.
  package func grounds(for key: NodeID) -> [[UInt8]] {
    guard wasEverAdmitted(key) else { return [] }
    let records = Dictionary(grouping: members, by: \.subject)
    var known: Set = [key]
    var keys = [key]
    var next = 0
    var found: [[UInt8]] = []
    while next < keys.count {
      for record in records[keys[next]] ?? [] {
        found.append(record.bytes)
        if known.insert(record.signer).inserted { keys.append(record.signer) }
      }
      next += 1
    }
    return found
  }

  /// What `key` itself may say of its membership to those who take it for none: how it was let in, and that it left.
  ///
  /// - Parameter bytesMax: The first ones of its grounds with so many bytes in all.
  package func credentials(of key: NodeID, bytesMax: Int) -> [[UInt8]] {
    var count = 0
    return grounds(for: key).filter { Self.isCredential($0, of: key) }.prefix { record in
      count += record.count
      return count <= bytesMax
    }
  }

  /// Whether a record is one of the `credentials` of `key`.
  ///
  /// An ending of somebody else is none: who was expelled would end whoever expelled it.
  static func isCredential(_ record: [UInt8], of key: NodeID) -> Bool {
    switch try? ClusterRecord(decoding: record) {
    case .admission: true
    case .ending(let ending): ending.subject == key && ending.signer == key
    default: false
    }
  }

  /// All records, those first on which others stand: admissions from the founder outwards, endings, invites, and
  /// the rest.
  private var idsInOrder: [RecordID] {
    var order: [RecordID] = []
    var known: Set<NodeID> = [founder]
    var open: [Admission] = []
    for case .admission(let admission) in members { open.append(admission) }
    var count = open.count + 1
    while open.count < count {
      count = open.count
      open.removeAll { admission in
        guard known.contains(admission.body.signer) else { return false }
        known.insert(admission.body.subject)
        order.append(admission.id)
        return true
      }
    }
    for case .ending(let ending) in members { order.append(ending.id) }
    return order + invites.map(\.id) + revocations.map(\.id) + announcements.map(\.id)
      + settings.map(\.id) + layoutRecords.map(\.id)
  }

  private static func shortID(_ id: RecordID, _ salt: UInt64) -> UInt64 {
    var message: [UInt8] = []
    message.reserveCapacity(40)
    withUnsafeBytes(of: salt.bigEndian) { message.append(contentsOf: $0) }
    id.append(to: &message)
    return Digests.digest(message, .blake2b512)[..<8].reduce(0) { $0 << 8 | UInt64($1) }
  }

  private static func concatenated(_ ids: [RecordID]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(ids.count * RecordID.byteCount)
    for id in ids { id.append(to: &bytes) }
    return bytes
  }
}
