"""Somebody in the middle: between who dials and a node."""

import contextlib
import ctypes
import ctypes.util
import socket
import ssl
import threading

from Cluster.stranger import JOINER, MEMBER, everything
from Cluster.wire import Secured

PASSES, ENDS_TLS, REPLAYS = "passes bytes on", "ends TLS with a key of his own", "replays"


class Middle:
    """Listens, and has `mode`. `thief` has the key that he shows (Cluster.stranger.Stranger)."""

    def __init__(self, thief=None, mode=PASSES):
        self.thief, self.mode, self.target = thief, mode, None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.links, self.recorded, self.replay = [], [], b""
        self.tries, self.secured, self.heard = 0, 0, b""
        threading.Thread(target=self.listen, daemon=True).start()

    def before(self, node):
        self.target = node.rpc_host, node.rpc_port
        return self

    def turn(self, mode):
        """Does so from now on, also with who is connected: they have to dial again."""
        self.mode, self.tries, self.secured, self.heard = mode, 0, 0, b""
        while self.links:
            shut(self.links.pop())

    def listen(self):
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            self.links.append(link)
            threading.Thread(target=self.serve, args=(link,), daemon=True).start()

    def serve(self, link):
        self.tries += 1
        with contextlib.suppress(OSError, ValueError):
            {PASSES: self.pass_on, ENDS_TLS: self.end_tls, REPLAYS: self.play}[self.mode](link)
        shut(link)

    def pass_on(self, link):
        node = self.dial()
        recorded = {"asked": b"", "answered": b""}
        self.recorded.append(recorded)

        def asked(data):
            recorded["asked"] += data

        def answered(data):
            recorded["answered"] += data
        pump(link, node, asked, answered)

    def end_tls(self, link):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.thief.certificate, self.thief.key)
        context.set_alpn_protocols([MEMBER, JOINER])
        dialler = Secured(context, link, server_side=True)
        self.secured += 1
        protocol = dialler.engine.selected_alpn_protocol()
        node = Secured(self.thief.context(protocol), self.dial())

        def asked(data):
            self.heard += data
        pump(dialler, node, asked, lambda _: None)

    def play(self, link):
        link.recv(65536)
        link.sendall(self.replay)
        everything(link)

    def dial(self):
        node = socket.create_connection(self.target, 10)
        node.settimeout(None)
        self.links.append(node)
        return node

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shut(self.listener)
        self.turn(PASSES)


def pump(dialler, node, asked, answered):
    """Passes on what comes in both directions, until one side ends."""
    def run(source, target, note):
        with contextlib.suppress(OSError, ValueError):
            while data := source.recv(65536):
                note(data)
                target.sendall(data)
        for link in (source, target):
            shut(getattr(link, "plain", link))
    back = threading.Thread(target=run, args=(node, dialler, answered), daemon=True)
    back.start()
    run(dialler, node, asked)
    back.join()


def shut(link):
    # Another thread may wait in it: closing alone would not wake that.
    with contextlib.suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)
    link.close()


libssl = ctypes.CDLL(ctypes.util.find_library("ssl"))
for name in ("TLS_client_method", "SSL_CTX_new", "SSL_new"):
    getattr(libssl, name).restype = ctypes.c_void_p
PEM = 1


class Exporting:
    """A joiner's TLS session with a node, of which Python's own would not tell the exporter's value."""

    def __init__(self, stranger):
        self.plain = stranger.plain()
        self.plain.settimeout(None)
        method = ctypes.c_void_p(libssl.TLS_client_method())
        self.context = ctypes.c_void_p(libssl.SSL_CTX_new(method))
        for use, file in ((libssl.SSL_CTX_use_certificate_file, stranger.certificate),
                          (libssl.SSL_CTX_use_PrivateKey_file, stranger.key)):
            assert use(self.context, str(file).encode(), PEM) == 1
        self.session = ctypes.c_void_p(libssl.SSL_new(self.context))
        protocols = bytes([len(JOINER)]) + JOINER.encode()
        assert libssl.SSL_set_alpn_protos(self.session, protocols, len(protocols)) == 0
        assert libssl.SSL_set_fd(self.session, self.plain.fileno()) == 1
        assert libssl.SSL_connect(self.session) == 1

    @property
    def exported(self):
        label, value = b"EXPORTER-grange-join", ctypes.create_string_buffer(32)
        assert libssl.SSL_export_keying_material(
            self.session, value, ctypes.c_size_t(32), label, ctypes.c_size_t(len(label)), b"",
            ctypes.c_size_t(0), 1) == 1
        return value.raw

    def ask(self, request):
        """The refusal's code, or 0."""
        assert libssl.SSL_write(self.session, request, len(request)) == len(request)
        answer, piece = b"", ctypes.create_string_buffer(65536)
        while (count := libssl.SSL_read(self.session, piece, 65536)) > 0:
            answer += piece.raw[:count]
        assert len(answer) > 6, answer
        return 0 if answer[5] == 1 else answer[6]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.plain.close()
        libssl.SSL_free(self.session)
        libssl.SSL_CTX_free(self.context)
