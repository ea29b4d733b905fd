#include "cshims.h"

#include <sys/timex.h>

int cshims_clock_is_adrift(void) {
  struct timex state = {0};
  return adjtimex(&state) == TIME_ERROR;
}
