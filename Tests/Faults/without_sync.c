// without_sync.so: an LD_PRELOAD that makes fsync and fdatasync lie for some files.
//
// The power-cut test must go red when a sync is missing; this takes one away without changing the
// program. WITHOUT_SYNC says for which descriptors the call returns 0 and does nothing:
//   blocks   regular files below a folder "data", but for the one that marks the folder as ours
//   folders  directories
//   wal      files whose name ends in "-wal"
// syncfs, which would put all of them on the disk, does nothing in any of these cases.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int is_skipped(int fd) {
  const char *which = getenv("WITHOUT_SYNC");
  if (!which) return 0;
  struct stat status;
  if (fstat(fd, &status)) return 0;
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  if (!strcmp(which, "folders")) return S_ISDIR(status.st_mode);
  const char *name = strrchr(path, '/');
  if (!name) return 0;
  if (!strcmp(which, "blocks"))
    return S_ISREG(status.st_mode) && strstr(path, "/data/") && strncmp(name, "/grange-data", 12);
  if (!strcmp(which, "wal")) return length > 4 && !strcmp(path + length - 4, "-wal");
  return 0;
}

int fsync(int fd) {
  int (*next)(int) = dlsym(RTLD_NEXT, "fsync");
  return is_skipped(fd) ? 0 : next(fd);
}

int fdatasync(int fd) {
  int (*next)(int) = dlsym(RTLD_NEXT, "fdatasync");
  return is_skipped(fd) ? 0 : next(fd);
}

int syncfs(int fd) {
  int (*next)(int) = dlsym(RTLD_NEXT, "syncfs");
  return getenv("WITHOUT_SYNC") ? 0 : next(fd);
}
