// What the event loops need from C: a thread-local pointer, and a signal handler, which may only make calls that
// are safe at any point of any thread (signal-safety(7)).
#define _GNU_SOURCE
#include "cshims.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static _Thread_local void *current_loop;

void *cshims_current_loop(void) { return current_loop; }

void cshims_set_current_loop(void *loop) { current_loop = loop; }

static volatile sig_atomic_t signal_descriptor = -1;

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
