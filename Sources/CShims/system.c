#define _GNU_SOURCE
#include "cshims.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

char **cshims_environment(void) { return environ; }

int cshims_random(void *bytes, size_t count) {
  ssize_t got;
  do {
    got = getrandom(bytes, count, 0);
  } while (got < 0 && errno == EINTR);
  return got == (ssize_t)count ? 0 : -1;
}

int cshims_accept(int listener) {
  return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

ssize_t cshims_pread_nowait(int file, void *bytes, size_t count, off_t offset) {
  struct iovec part = {.iov_base = bytes, .iov_len = count};
  return preadv2(file, &part, 1, offset, RWF_NOWAIT);
}

int cshims_open_cached(const char *path) {
#ifdef SYS_openat2
  // struct open_how and RESOLVE_CACHED of <linux/openat2.h>, which old header packages lack.
  struct {
    uint64_t flags, mode, resolve;
  } how = {.flags = O_RDONLY | O_CLOEXEC, .resolve = 0x20};
  return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
#else
  (void)path;
  errno = ENOSYS;
  return -1;
#endif
}

int cshims_set_direct(int file, int is_direct) {
  return fcntl(file, F_SETFL, is_direct ? O_DIRECT : 0);
}

int cshims_syncfs(int file) { return syncfs(file); }

int cshims_limit_arenas(int count) {
#ifdef M_ARENA_MAX
  return mallopt(M_ARENA_MAX, count);
#else
  (void)count;
  return 0;
#endif
}
