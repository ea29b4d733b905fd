// SQLITE_STATIC and SQLITE_TRANSIENT are casts of integers to function pointers, which Swift does not
// import, and it calls no function with a variable number of arguments: those have one here.
#include <sqlite3.h>
static inline int csqlite_bind_blob_static(sqlite3_stmt *statement, int index, const void *bytes,
                                           int count) {
  return sqlite3_bind_blob(statement, index, bytes, count, SQLITE_STATIC);
}
static inline int csqlite_config_memstatus(int enabled) {
  return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, enabled);
}
static inline int csqlite_checkpoint_on_close(sqlite3 *connection, int enabled) {
  return sqlite3_db_config(connection, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !enabled, (int *)0);
}
