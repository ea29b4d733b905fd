import S3API
import Testing

@Suite struct EncodedWordsTests {
  private func decoded(_ text: String) -> String {
    String(decoding: EncodedWords.decode(Array(text.utf8)), as: UTF8.self)
  }

  private func encoded(_ text: String) -> String {
    String(decoding: EncodedWords.encode(Array(text.utf8)), as: UTF8.self)
  }

  @Test(
    arguments: [
      ("plain", "plain"), ("", ""), ("=?", "=?"),
      ("=?UTF-8?Q?caf=C3=A9_au_lait?=", "café au lait"), ("=?utf-8?q?a=3db?=", "a=b"),
      ("=?UTF-8?B?5pel5pys6Kqe?=", "日本語"), ("=?utf-8?b?w6k=?=", "é"),
      ("=?ISO-8859-1?Q?=E9?=", "é"), ("=?iso-8859-1*fr?B?6Q==?=", "é"),
      ("=?US-ASCII?Q?a?=", "a"),
      // White space between two words is none of the text; beside other text it is.
      ("=?UTF-8?Q?a?=  =?UTF-8?Q?_b?= c\td", "a b c\td"), ("x =?UTF-8?Q?=C3=A9?= y", "x é y"),
      // A character that is cut in two.
      ("=?UTF-8?Q?=C3?= =?UTF-8?B?qQ==?=", "é"),
      // What comes as it is.
      ("Größe", "Größe"), ("Größe =?UTF-8?Q?=C3=A9?=", "Größe é"),
    ])
  func readsBothEncodings(_ row: (value: String, text: String)) {
    #expect(decoded(row.value) == row.text)
  }

  /// Not one byte of them is changed.
  @Test(arguments: [
    "=?UTF-8?Q?a", "=?UTF-8?Q?a=?=", "=?UTF-8?Q?=G0?=", "=?UTF-8?Q?=C?=", "=?UTF-8?Q??=",
    "=?UTF-8?B?w4?=", "=?UTF-8?B?w6l?=", "=?UTF-8?B?w6k?=", "=?UTF-8?B?****?=", "=?UTF-8?X?a?=",
    "=?UTF-8?QQ?a?=", "=?koi8-r?Q?a?=", "=??Q?a?=", "=?UTF-8?Q?a?b?=", "=?UTF-8?Q?a b?=",
    "x=?UTF-8?Q?a?=", "=?UTF-8?Q?a?=x", "=?UTF-8?Q?=C3?=", "=?UTF-8?Q?=FF?=  =?UTF-8?Q?a?=",
    "=?US-ASCII?Q?=C3=A9?=", "=?=", "=??=", "=???=", "=????=",
  ])
  func malformedWordsStayAsTheyAre(value: String) {
    #expect(decoded(value) == value)
  }

  @Test func otherBytesAreLatin1() {
    #expect(EncodedWords.decode([0x47, 0x72, 0xFC, 0xDF, 0x65]) == Array("Grüße".utf8))
    #expect(EncodedWords.encode([0xE9]) == Array("=?UTF-8?B?w6k=?=".utf8))
  }

  @Test(
    arguments: [
      ("plain text", "plain text"), ("a\tb", "a\tb"), ("", ""),
      (
        "of one? _and_ more plain text é",
        "=?UTF-8?Q?of_one=3F_=5Fand=5F_more_plain_text_=C3=A9?="
      ),
      ("日本語", "=?UTF-8?B?5pel5pys6Kqe?="),
      // What a field cannot hold, and what it would lose.
      ("a\r\nb: c", "=?UTF-8?Q?a=0D=0Ab:_c?="), (" a", "=?UTF-8?Q?_a?="),
      ("a\t", "=?UTF-8?Q?a=09?="),
      ("a\0", "=?UTF-8?Q?a=00?="), ("a\u{7F}b c", "=?UTF-8?Q?a=7Fb_c?="),
    ])
  func writesWhatAFieldHolds(_ row: (text: String, value: String)) {
    #expect(encoded(row.text) == row.value)
    #expect(decoded(row.value) == row.text)
  }

  @Test(arguments: ["é", "日", "📈", "long text with one ö "])
  func longTextsAreCutBetweenCharacters(piece: String) {
    let text = String(repeating: piece, count: 100) + "."
    let words = encoded(text).split(separator: " ")
    #expect(words.count > 1)
    for word in words {
      #expect(word.utf8.count <= 75)
      #expect(decoded(String(word)).unicodeScalars.allSatisfy { text.unicodeScalars.contains($0) })
    }
    #expect(decoded(encoded(text)) == text)
  }
}
