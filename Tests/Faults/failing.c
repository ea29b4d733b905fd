// failing.so: an LD_PRELOAD under which calls on some files fail or take long, as a test says while the
// program runs.
//
// FAILING names a file of 4096 bytes that this library maps. It holds lines
//
//   CALL FRAGMENT ERRNO MILLISECONDS
//
// CALL is `open`, `read`, `write` or `sync`, and a line holds for files whose path contains FRAGMENT; or `thread`, a
// new one, whose path is `-`. The call takes so many milliseconds longer and then, unless ERRNO is 0, fails without
// having been made. The first byte is 0 while the lines are being changed, and when there are none.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define NEXT(name) __typeof__(&name) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static volatile const char *rules;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("FAILING");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (map != MAP_FAILED) rules = map;
}

// Whether the call is to fail; sets errno then. Waits first if it is to take long.
static int fails(const char *call, const char *path) {
  char text[4096], kind[16], fragment[1024];
  memcpy(text, (const char *)rules, sizeof text - 1);
  text[sizeof text - 1] = 0;
  char *rest = text, *line;
  while ((line = strsep(&rest, "\n"))) {
    int error, milliseconds;
    if (sscanf(line, "%15s %1023s %d %d", kind, fragment, &error, &milliseconds) != 4) continue;
    if (strcmp(kind, call) || !strstr(path, fragment)) continue;
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    nanosleep(&time, NULL);
    if (!error) return 0;
    errno = error;
    return 1;
  }
  return 0;
}

static int fails_on(const char *call, int fd) {
  if (!rules || !rules[0]) return 0;
  int before = errno;
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  errno = before;
  if (length < 0) return 0;
  path[length] = 0;
  return fails(call, path);
}

static int opening_fails(const char *path) { return rules && rules[0] && fails("open", path); }

#define OPEN(name)                                         \
  int name(const char *path, int flags, ...) {             \
    va_list more;                                          \
    va_start(more, flags);                                 \
    mode_t mode = va_arg(more, mode_t);                    \
    va_end(more);                                          \
    int (*next)(const char *, int, ...) = dlsym(RTLD_NEXT, #name); \
    return opening_fails(path) ? -1 : next(path, flags, mode);     \
  }
OPEN(open)
OPEN(open64)

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
  NEXT(pthread_create);
  if (rules && rules[0] && fails("thread", "-")) return errno;
  return next(thread, attributes, body, argument);
}

ssize_t read(int fd, void *bytes, size_t count) {
  NEXT(read);
  return fails_on("read", fd) ? -1 : next(fd, bytes, count);
}

ssize_t pread(int fd, void *bytes, size_t count, off_t offset) {
  NEXT(pread);
  return fails_on("read", fd) ? -1 : next(fd, bytes, count, offset);
}

ssize_t pread64(int fd, void *bytes, size_t count, off64_t offset) {
  NEXT(pread64);
  return fails_on("read", fd) ? -1 : next(fd, bytes, count, offset);
}

// A read that must not wait finds nothing in the cache, and is made again as one that may.
ssize_t preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags) {
  NEXT(preadv2);
  if (fails_on("read", fd)) {
    errno = EAGAIN;
    return -1;
  }
  return next(fd, parts, count, offset, flags);
}

ssize_t write(int fd, const void *bytes, size_t count) {
  NEXT(write);
  return fails_on("write", fd) ? -1 : next(fd, bytes, count);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  NEXT(writev);
  return fails_on("write", fd) ? -1 : next(fd, parts, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
  NEXT(pwrite);
  return fails_on("write", fd) ? -1 : next(fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
  NEXT(pwrite64);
  return fails_on("write", fd) ? -1 : next(fd, bytes, count, offset);
}

int fsync(int fd) {
  NEXT(fsync);
  return fails_on("sync", fd) ? -1 : next(fd);
}

int fdatasync(int fd) {
  NEXT(fdatasync);
  return fails_on("sync", fd) ? -1 : next(fd);
}

int syncfs(int fd) {
  NEXT(syncfs);
  return fails_on("sync", fd) ? -1 : next(fd);
}
