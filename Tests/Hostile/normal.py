"""A client like any other, as a process of its own: `python -m Hostile.normal`.

Three hundred small requests a second, one after the other: GETs and PUTs on a connection that stays, and GETs on
connections of their own. It reads whom to ask and how, a line of JSON; for each line after that it prints what it
measured since the one before, as JSON: milliseconds by kind of request, and what failed.
"""

import json
import select
import socket
import ssl
import sys
import time

RATE = 300
# Of twenty requests: how many are PUTs, and how many GETs with a connection of their own.
KINDS = ["get"] * 13 + ["put"] * 4 + ["fresh"] * 3
TIMEOUT = 10


class Client:
    def __init__(self, target, requests):
        self.target = target
        self.requests = {kind: text.encode("latin-1") for kind, text in requests.items()}
        self.context = ssl.create_default_context(cafile=target["tls"]) if target["tls"] else None
        self.links = {}

    def connect(self):
        link = socket.create_connection((self.target["host"], self.target["port"]), TIMEOUT)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.context:
            link = self.context.wrap_socket(link, server_hostname=self.target["host"])
        return link

    def once(self, kind, again=True):
        """Sends one request; a description of what went wrong, or None. `again`: a new connection may be cut off once."""
        link = self.links.pop(kind, None)
        is_new = link is None
        try:
            if is_new:
                link = self.connect()
            link.sendall(self.requests[kind])
            status, closes = self.answer(link)
        except OSError as error:
            if link:
                link.close()
            # A server may close a connection that waits for a request; and while it makes room among thousands who stop
            # in their greeting, one whose own takes long is cut off with them. Every client tries again then.
            if not isinstance(error, TimeoutError) and (again or not is_new):
                return self.once(kind, again and not is_new)
            return f"{kind}: {error!r}"
        if kind == "fresh" or closes:
            link.close()
        else:
            self.links[kind] = link
        return None if status == 200 else f"{kind}: {status}"

    def answer(self, link):
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.receive(link)
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        while len(body) < length:
            body += self.receive(link)
        return int(head.split()[1]), b"connection: close" in lines

    @staticmethod
    def receive(link):
        data = link.recv(65536)
        if not data:
            raise ConnectionError("closed")
        return data


def main(target, requests):
    client = Client(target, requests)
    print("ready", flush=True)
    times, failures = {}, []
    number, due = 0, time.monotonic()
    while True:
        wait = max(0, due - time.monotonic())
        if select.select([sys.stdin], [], [], wait)[0]:
            if not sys.stdin.readline():
                return
            print(json.dumps({"times": times, "failures": failures}), flush=True)
            times, failures = {}, []
            continue
        kind = KINDS[number * 7 % len(KINDS)]
        number += 1
        began = time.monotonic()
        failure = client.once(kind)
        times.setdefault(kind, []).append((time.monotonic() - began) * 1000)
        if failure:
            failures.append(failure)
        due = max(due + 1 / RATE, time.monotonic() - 0.1)


if __name__ == "__main__":
    main(*json.loads(sys.stdin.readline()))
