// C that Swift cannot say: calls behind _GNU_SOURCE, variadic functions, macros, CPU intrinsics.
#ifndef GRANGE_CSHIMS_H
#define GRANGE_CSHIMS_H
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// Fills `count` bytes (at most 256) from getrandom(2). 0, or -1 with errno.
int cshims_random(void *bytes, size_t count);

/// The variables of the process, `NAME=VALUE` each, with NULL behind the last.
char **cshims_environment(void);

/// accept4(2) with SOCK_NONBLOCK | SOCK_CLOEXEC and no address. A descriptor, or -1 with errno.
int cshims_accept(int listener);

/// pread(2) that answers EAGAIN instead of waiting for the disk (preadv2 with RWF_NOWAIT), so that bytes in
/// the page cache can be read on an event loop. File systems without it answer EOPNOTSUPP.
ssize_t cshims_pread_nowait(int file, void *bytes, size_t count, off_t offset);

/// open(2) for reading that answers EAGAIN instead of looking a name up on the disk (openat2 with RESOLVE_CACHED,
/// Linux 5.12). Older kernels answer ENOSYS, some containers EPERM.
int cshims_open_cached(const char *path);

/// Switches writing past the page cache (O_DIRECT) on or off for `file`, which must have no other flag. 0, or -1 with
/// errno: EINVAL when its file system cannot.
int cshims_set_direct(int file, int is_direct);

/// syncfs(2): the file system that holds `file`.
int cshims_syncfs(int file);

/// The checks of crc.c.
typedef enum { CSHIMS_CRC32 = 0, CSHIMS_CRC32C = 1, CSHIMS_CRC64NVME = 2 } cshims_crc_kind;

/// The CRC of a message whose beginning has the CRC `crc` (0 for none) and whose end is `bytes`, in the fastest
/// way that this CPU has.
uint64_t cshims_crc(cshims_crc_kind kind, uint64_t crc, const void *bytes, size_t count);

/// The ways to compute a CRC, for the tests that compare them.
typedef enum {
  CSHIMS_CRC_PORTABLE = 0,
  CSHIMS_CRC_INSTRUCTION = 1,
  CSHIMS_CRC_FOLDING = 2
} cshims_crc_way;

/// As `cshims_crc`, in a certain way. 0, and nothing done, when this CPU has no such way or the message is
/// too short for it.
int cshims_crc_path(cshims_crc_kind kind, cshims_crc_way way, uint64_t *crc, const void *bytes,
                    size_t count);

/// The event loop that runs on the calling thread, as it was set by `cshims_set_current_loop`; NULL elsewhere.
void *cshims_current_loop(void);

/// Sets what `cshims_current_loop` answers on the calling thread.
void cshims_set_current_loop(void *loop);

/// Lets malloc(3) keep at most `count` arenas; 0 when it does not know how (not glibc).
///
/// Each is 64 MiB of addresses, and by default there are eight for each core.
int cshims_limit_arenas(int count);

/// From now on each signal `number` writes one byte, its number, to `descriptor`, which must be non-blocking and
/// stay open for the life of the process. 0, or -1 with errno.
int cshims_forward_signal(int number, int descriptor);

/// Whether the kernel says that no time synchronisation sets the clock (adjtimex(2), TIME_ERROR). 0 as well when it does
/// not say.
int cshims_clock_is_adrift(void);
#endif
