// What is set for SQLite as a whole, before its first use in the process.

private import CSQLite

enum SQLiteLibrary {
  /// Does without the count of allocated bytes: nobody reads it, and it takes a lock of all threads for every
  /// allocation.
  ///
  /// Refused, which does no harm, when a test has used the library before.
  private static let withoutStatistics: Int32 = csqlite_config_memstatus(0)

  static func configure() { _ = withoutStatistics }
}
