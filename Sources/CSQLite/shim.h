// SQLITE_STATIC and SQLITE_TRANSIENT are casts of integers to function pointers, which Swift does not
// import, so binding has two functions here.
#include <sqlite3.h>
static inline int csqlite_bind_blob_static(sqlite3_stmt *statement, int index, const void *bytes,
                                           int count) {
  return sqlite3_bind_blob(statement, index, bytes, count, SQLITE_STATIC);
}
