#define _GNU_SOURCE
#include "cshims.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>

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
