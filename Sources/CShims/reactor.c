// What the event loops need from C: a thread-local pointer, and a signal handler, which may only make calls that
// are safe at any point of any thread (signal-safety(7)).
#define _GNU_SOURCE
#include "cshims.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static _Thread_local void *current_loop;

void *cshims_current_loop(void) { return current_loop; }

void cshims_set_current_loop(void *loop) { current_loop = loop; }

// Lock-free, and so safe in a handler (C11, 7.14.1.1), on every machine that has 32-bit atomics.
static _Atomic int signal_descriptor = -1;

static void forward(int number) {
  int saved = errno;
  unsigned char byte = (unsigned char)number;
  // A full pipe already holds what wakes the reader.
  ssize_t ignored = write(signal_descriptor, &byte, 1);
  (void)ignored;
  errno = saved;
}

int cshims_forward_signal(int number, int descriptor) {
  struct sigaction action = {.sa_handler = forward, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  signal_descriptor = descriptor;
  return sigaction(number, &action, NULL);
}
