// Throughput of the digests and checksums on this machine. Run it with
// `GRANGE_BENCHMARK=1 swift test -c release --filter CryptoBenchmark`.

import Base
import CShims
import Crypto
import Glibc
import Testing

@Suite(
  .enabled(if: getenv("GRANGE_BENCHMARK") != nil, "a measurement: set GRANGE_BENCHMARK=1"),
  .serialized)
struct CryptoBenchmark {
  @Test func printsThroughput() {
    let bytes = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    bytes.withUnsafeBytes { bytes in
      for algorithm in DigestAlgorithm.allCases {
        let digest = Digest(algorithm)
        measure("\(algorithm), 1 MiB", bytes: bytes.count) {
          digest.update(bytes)
          _ = digest.finish()
        }
      }
      let ways = [
        ("portable", CSHIMS_CRC_PORTABLE), ("instruction", CSHIMS_CRC_INSTRUCTION),
        ("folding", CSHIMS_CRC_FOLDING),
      ]
      let kinds = [
        ("CRC32", CSHIMS_CRC32), ("CRC32C", CSHIMS_CRC32C), ("CRC64NVME", CSHIMS_CRC64NVME),
      ]
      for (kindName, kind) in kinds {
        for (wayName, way) in ways {
          var value: UInt64 = 0
          guard cshims_crc_path(kind, way, &value, bytes.baseAddress, 64) == 1 else { continue }
          measure("\(kindName) \(wayName), 1 MiB", bytes: bytes.count) {
            _ = cshims_crc_path(kind, way, &value, bytes.baseAddress, bytes.count)
          }
        }
      }
    }
  }

  @Test func printsSmallOperations() {
    let message = [UInt8](repeating: 1, count: 64)
    let key = HMACKey(Array(0..<32))
    let rows = KeyedHash(key: Array(0..<32))
    measure("SHA-256 of 64 bytes", bytes: nil) { _ = Digests.sha256(message) }
    measure("BLAKE2b of 64 bytes", bytes: nil) {
      _ = message.withUnsafeBytes { Digests.blockHash($0) }
    }
    measure("HMAC with a kept key", bytes: nil) { _ = key.sign(message) }
    measure("HMAC with a new key", bytes: nil) { _ = HMAC.sha256(key: message, message) }
    measure("KeyedHash of 64 + 64 bytes", bytes: nil) { _ = rows?.hash(message, message) }
  }

  private func measure(_ name: String, bytes: Int?, _ body: () -> Void) {
    body()
    let start = seconds()
    var rounds = 0
    while seconds() - start < 0.3 {
      for _ in 0..<50 { body() }
      rounds += 50
    }
    let rate = Double(rounds) / (seconds() - start)
    if let bytes {
      print("\(name): \(Int(rate * Double(bytes) / 1e6)) MB/s")
    } else {
      print("\(name): \(Int(rate)) a second")
    }
  }

  private func seconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
