// Linux interfaces that Swift's Glibc module leaves out: epoll, eventfd, accept4, preadv2.
//
// Header-only modules may hold `static inline` functions, not variables. `accept4` and `preadv2` need
// _GNU_SOURCE, which must not be defined in a single module's header (it changes what the others
// see), so those two are wrapped in CShims instead.
#ifndef GRANGE_CLINUX_SHIM_H
#define GRANGE_CLINUX_SHIM_H
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#endif
