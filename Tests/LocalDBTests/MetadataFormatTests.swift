import Base
import CSQLite
import LocalDB
import TestStorage
import Testing

/// Golden values of docs/formats/metadata-database.md.
@Suite struct MetadataFormatTests {
  let folder = TemporaryFolder()

  @Test func theFileHasTheDocumentedHeaderTablesAndEntries() async throws {
    let database = try folder.open()
    let tree = try database.tree("object")
    for _ in 0..<3 { try await database.write { try $0.put(tree, [0, 0xFF], [7]) } }
    let incarnation = database.incarnation.hex.uppercased()
    database.close()

    let file = folder.path + "/meta/metadata.sqlite"
    #expect(rows(file, "PRAGMA application_id") == ["1198678382"])
    #expect(rows(file, "PRAGMA user_version") == ["3"])
    #expect(rows(file, "PRAGMA page_size") == ["8192"])
    #expect(rows(file, "PRAGMA journal_mode") == ["wal"])
    #expect(
      rows(file, "SELECT name FROM sqlite_schema ORDER BY name") == ["database", "tree_object"])
    #expect(
      rows(file, "SELECT CAST(key AS TEXT) || '=' || hex(value) FROM database ORDER BY key") == [
        "commit_number=0000000000000003", "incarnation=\(incarnation)", "unsynced=00",
      ])
    #expect(rows(file, "SELECT hex(key) || '=' || hex(value) FROM tree_object") == ["00FF=07"])
  }

  private func rows(_ file: String, _ sql: String) -> [String] {
    var handle: OpaquePointer?
    var statement: OpaquePointer?
    var found: [String] = []
    sqlite3_open(file, &handle)
    sqlite3_prepare_v2(handle, sql, -1, &statement, nil)
    while sqlite3_step(statement) == SQLITE_ROW {
      found.append(String(cString: sqlite3_column_text(statement, 0)))
    }
    sqlite3_finalize(statement)
    sqlite3_close(handle)
    return found
  }
}
