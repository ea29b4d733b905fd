"""Host names of the tests: `*.s3.grange.localhost` leads to 127.0.0.1.

RFC 6761 gives every name under `localhost` to the loopback address; curl and browsers know it, the C
library and Go do not. For a command, a private mount namespace holds a hosts file of its own; nothing
changes outside. In this process, the resolver is wrapped.
"""

import contextlib
import os
import socket


def command(words, names, folder):
    """`words` as a command that sees `names` as 127.0.0.1. Needs root, for the mount."""
    hosts = folder / "hosts"
    hosts.write_text("127.0.0.1 localhost " + " ".join(names) + "\n")
    script = 'mount --bind "$1" /etc/hosts && shift && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, "sh", str(hosts), *map(str, words)]


def is_available():
    return os.geteuid() == 0


@contextlib.contextmanager
def resolved_here(suffix="localhost"):
    original = socket.getaddrinfo

    def resolve(host, *arguments, **options):
        if isinstance(host, str) and host.endswith("." + suffix):
            host = "127.0.0.1"
        return original(host, *arguments, **options)

    socket.getaddrinfo = resolve
    try:
        yield
    finally:
        socket.getaddrinfo = original
