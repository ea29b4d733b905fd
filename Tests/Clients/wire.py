"""Raw bytes to the server and back, with nothing in between that would correct them."""

import re
import socket
import ssl
import time


class Answer:
    """What came back: responses, and whether the server closed the connection."""

    def __init__(self, data, closed):
        self.data = data
        self.closed = closed

    @property
    def statuses(self):
        """Status codes of all responses; no body of these tests looks like a status line."""
        return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", self.data)]

    def __repr__(self):
        return f"{self.statuses} {'closed' if self.closed else 'open'} {self.data[:400]!r}"


class Wire:
    def __init__(self, server, timeout=5):
        self.timeout = timeout
        self.socket = socket.create_connection((server.host, server.port), timeout)
        if server.tls:
            context = ssl.create_default_context(cafile=str(server.tls[2]))
            self.socket = context.wrap_socket(self.socket, server_hostname=server.host)

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused early; the answer says why
        return self

    def half_close(self):
        """No more will come from here. TLS as Python has it cannot say so and go on reading."""
        if not isinstance(self.socket, ssl.SSLSocket):
            self.socket.shutdown(socket.SHUT_WR)
        return self

    def answer(self, quiet=0.5):
        """Reads until the server closes, or until it has said nothing for `quiet` seconds."""
        data, closed, end = b"", False, time.monotonic() + self.timeout
        self.socket.settimeout(quiet)
        while time.monotonic() < end:
            try:
                piece = self.socket.recv(65536)
            except TimeoutError:
                if data:
                    break
                continue
            except (ConnectionResetError, ssl.SSLEOFError):
                closed = True
                break
            if not piece:
                closed = True
                break
            data += piece
        return Answer(data, closed)

    def close(self):
        self.socket.close()
