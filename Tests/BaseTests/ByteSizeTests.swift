import Base
import Testing

@Suite struct ByteSizeTests {
  @Test(
    arguments: [
      ("0", 0), ("512", 512), ("512 B", 512), ("8K", 8192), ("8k", 8192), ("1M", 1 << 20),
      ("1MiB", 1 << 20), ("1 MB", 1_000_000), ("1.5G", 3 << 29), ("2T", 2 << 40), ("16P", 16 << 50),
      ("0.5k", 512),
    ] as [(String, UInt64)])
  func readsSizes(text: String, bytes: UInt64) {
    #expect(ByteSize.parse(text) == bytes)
  }

  @Test(arguments: [
    "", " ", "K", "-1", "1X", "1KK", "1.2.3K", "0x10", "1e3", "99999999999P",
    "18446744073709551616",
    "1M ", " 1M", "1é", "inf", "nan",
  ])
  func refusesOthers(text: String) {
    #expect(ByteSize.parse(text) == nil)
  }

  @Test(
    arguments: [
      (0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (1 << 20, "1 MiB"),
      ((1 << 30) - 1, "1 GiB"), (3 << 40, "3 TiB"), (.max, "16 EiB"),
    ] as [(UInt64, String)])
  func describesSizesForPeople(bytes: UInt64, text: String) {
    #expect(ByteSize.describe(bytes) == text)
  }
}
