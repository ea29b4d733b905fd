"""What strangers do to a server, each as a process of its own: `python -m Hostile.attacks`.

It reads its arguments, a line of JSON, and prints `ready` once the attack is at its full strength, and goes on until its
standard input ends; then it prints what it counted, as JSON. It runs at nice 19, as the test is about the server and
not about who else wants its processor.
"""

import errno
import json
import os
import select
import socket
import ssl
import sys
import time
from pathlib import Path

from Hostile.processes import close_at_once, raise_file_limit

# Between two looks at the clock and at standard input.
TURN = 0.02
# Who is cut off comes back, this many of them in one period of `hold`: what is measured is not how fast a server
# can accept connections, and what comes with them.
BACK_MAX = 10


class Attack:
    """Connections to one server, and what became of them."""

    def __init__(self, arguments):
        self.address = (arguments["host"], arguments["port"])
        self.counts = {"opened": 0, "refused": 0, "closed": 0, "sent": 0, "answers": 0}
        self.context = None
        if arguments.get("tls"):
            self.context = ssl.create_default_context(cafile=arguments["tls"])
        # Many addresses of ours, so that ports do not run short, and no rule for one address is all that helps.
        self.sources = [f"127.0.0.{number}" for number in range(2, 34)]

    def connect(self):
        """A connected socket that does not block, or None."""
        source = self.sources[self.counts["opened"] % len(self.sources)]
        link = socket.socket()
        try:
            link.settimeout(2)
            # Little, so that it is the server that has to keep what is not read.
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
            link.bind((source, 0))
            link.connect(self.address)
            if self.context:
                link = self.context.wrap_socket(link, server_hostname=self.address[0])
            link.setblocking(False)
            self.counts["opened"] += 1
            return link
        except OSError:
            self.counts["refused"] += 1
            link.close()
            return None

    def send(self, link, data):
        """How much was sent; -1 when the server has closed the connection."""
        try:
            count = link.send(data)
            self.counts["sent"] += count
            return count
        except (BlockingIOError, ssl.SSLWantWriteError):
            return 0
        except OSError:
            return -1

    def receive(self, link, size=65536):
        """What came; None when the server has closed the connection."""
        try:
            data = link.recv(size)
        except (BlockingIOError, ssl.SSLWantReadError):
            return b""
        except OSError:
            return None
        self.counts["answers"] += data.count(b"HTTP/1.1 ")
        return data or None

    def drop(self, link):
        self.counts["closed"] += 1
        link.close()


def goes_on():
    return not select.select([sys.stdin], [], [], 0)[0]


def pause(seconds):
    """Waits; False when the attack is over."""
    return not select.select([sys.stdin], [], [], max(0, seconds))[0]


def ready():
    print("ready", flush=True)


def hold(attack, count, data="", trickle="", period=1.0, read=0, again=True, data_file=None, repeat=False,
         settle=0):
    """Holds `count` connections open: sends `data` on each, then `trickle` and reads `read` bytes every `period`; with
    `repeat`, sends `data` once more when something has been read. `settle` is how long the server has to begin."""
    first = Path(data_file).read_bytes() if data_file else data.encode("latin-1")
    more, links, rest, opened = trickle.encode(), [], {}, 0
    says_ready = False

    def push(link):
        sent = attack.send(link, rest[link])
        if sent > 0:
            rest[link] = rest[link][sent:]
        return sent >= 0

    while goes_on():
        began = time.monotonic()
        missing = count - len(links) if again or opened < count else 0
        for _ in range(min(missing, BACK_MAX if says_ready else 500)):
            link = attack.connect()
            opened += 1
            if link is None:
                break
            rest[link] = first
            push(link)
            links.append(link)
        if len(links) >= count or opened >= count:
            if not says_ready:
                pause(settle)
                ready()
                says_ready = True
            if not pause(period - (time.monotonic() - began)):
                break
        kept = []
        for link in links:
            data = b""
            if rest[link]:
                alive = push(link)
            else:
                alive = not more or attack.send(link, more) >= 0
            if alive:
                data = attack.receive(link, read) if read else peek(link)
            if alive and data is not None:
                kept.append(link)
                if repeat and data and not rest[link]:
                    rest[link] = first
            else:
                attack.drop(link)
                del rest[link]
        links = kept
    attack.counts["held"] = len(links)
    attack.counts["open"] = sum(peek(link) is not None for link in links)


def peek(link):
    """Whether the server has closed the connection (None), without taking what it said."""
    if isinstance(link, ssl.SSLSocket):
        return b""
    try:
        return link.recv(1, socket.MSG_PEEK) or None
    except BlockingIOError:
        return b""
    except OSError:
        return None


def flood(attack, requests, connections=16, rate=4000, read=True, ahead=1):
    """Sends `requests` over and over on each of `connections`, `rate` a second on all, `ahead` at once on one.

    Without `read` no answer is taken, until the server closes the connection."""
    pieces = [request.encode("latin-1") * ahead for request in requests]
    links, number, says_ready = [], 0, False
    began, rounds, rest = time.monotonic(), 0, {}
    while goes_on():
        while len(links) < connections:
            link = attack.connect()
            if link is None:
                break
            links.append(link)
            rest[link] = b""
        if not says_ready:
            ready()
            says_ready = True
            began, rounds = time.monotonic(), 0
        due = int((time.monotonic() - began) * rate / ahead) - rounds
        for link in list(links):
            if due <= 0 and not rest[link]:
                break
            if not rest[link]:
                rest[link] = pieces[number % len(pieces)]
                number += 1
                rounds += 1
                due -= 1
            sent = attack.send(link, rest[link])
            rest[link] = rest[link][max(sent, 0):]
            if sent < 0 or (read and not drain(attack, link)):
                attack.drop(link)
                links.remove(link)
        links = links[1:] + links[:1]
        if read:
            links = [link for link in links if drain(attack, link) or attack.drop(link)]
        pause(TURN / 8)


def drain(attack, link):
    data = b"x"
    while data:
        data = attack.receive(link)
    return data is not None


def endless(attack, kinds):
    """For each of `kinds`, pairs of texts: sends the first and then the second again and again, as fast as the server
    takes it, and comes back when cut off."""
    links, pieces, rest, began = [], {}, {}, {}
    unused = [(head.encode(), piece.encode() * (65536 // len(piece))) for head, piece in kinds]
    longest, says_ready = 0.0, False
    while goes_on():
        while unused:
            link = attack.connect()
            if link is None:
                break
            head, piece = pieces[link] = unused.pop()
            rest[link], began[link] = head + piece, time.monotonic()
            links.append(link)
        if not says_ready:
            ready()
            says_ready = True
        writable = select.select([], links, [], TURN)[1] if links else []
        for link in writable:
            sent = attack.send(link, rest[link])
            rest[link] = rest[link][max(sent, 0):] or pieces[link][1]
            if sent < 0:
                longest = max(longest, time.monotonic() - began.pop(link))
                unused.append(pieces.pop(link))
                attack.drop(link)
                links.remove(link)
    attack.counts["longest_ms"] = int(longest * 1000)


def knock(attack, rate=2000, data="", reset=False):
    """Connects, sends `data`, and closes at once: `rate` times a second."""
    began, done, data = time.monotonic(), 0, data.encode("latin-1")
    ready()
    while goes_on():
        due = int((time.monotonic() - began) * rate) - done
        for _ in range(min(due, 200)):
            link = attack.connect()
            done += 1
            if link is None:
                continue
            if data:
                attack.send(link, data)
            if reset:
                close_at_once(link)
            else:
                attack.drop(link)
        pause(TURN / 4)


def main(arguments):
    os.nice(19)
    raise_file_limit()
    name = arguments.pop("attack")
    attack = Attack(arguments.pop("target"))
    if arguments.pop("plain", False):
        attack.context = None
    {"hold": hold, "flood": flood, "endless": endless, "knock": knock}[name](attack, **arguments)
    print(json.dumps(attack.counts), flush=True)


if __name__ == "__main__":
    try:
        main(json.loads(sys.stdin.readline()))
    except OSError as error:
        sys.exit(f"{errno.errorcode.get(error.errno)}: {error}")
