// C that Swift cannot say: calls behind _GNU_SOURCE, variadic functions, macros, CPU intrinsics.
#ifndef GRANGE_CSHIMS_H
#define GRANGE_CSHIMS_H
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// Fills `count` bytes (at most 256) from getrandom(2). 0, or -1 with errno.
int cshims_random(void *bytes, size_t count);

/// accept4(2) with SOCK_NONBLOCK | SOCK_CLOEXEC and no address. A descriptor, or -1 with errno.
int cshims_accept(int listener);

/// pread(2) that answers EAGAIN instead of waiting for the disk (preadv2 with RWF_NOWAIT), so that bytes in
/// the page cache can be read on an event loop. File systems without it answer EOPNOTSUPP.
ssize_t cshims_pread_nowait(int file, void *bytes, size_t count, off_t offset);
#endif
