"""Somebody with a key of his own at a node's RPC port, and what he may send."""

import contextlib
import socket
import ssl
import subprocess

from Cluster.tokens import varint

JOINER, MEMBER = "grange-join/1", "grange/1"
# PKCS #8 of an Ed25519 key (RFC 8410, section 7), before its 32 bytes.
PKCS8 = bytes.fromhex("302e020100300506032b657004220420")


def join_request(token, proof, name="stranger", credentials=()):
    """The record that a joiner sends (docs/formats/cluster-state.md), behind its length."""
    return framed(question(token.cluster, token.invite, proof, name, credentials))


def inquiry(cluster, credentials=()):
    """What a node asks whose key is refused."""
    return framed(question(cluster, bytes(16), bytes(64), "stranger", credentials))


def question(cluster, invite, proof, name, credentials):
    return (b"\x01" + cluster + invite + proof + varint(len(name)) + name.encode() + b"\x00\x01\x00\x01" + b"\x00"
            + varint(len(credentials)) + b"".join(varint(len(record)) + record for record in credentials))


def framed(record):
    return len(record).to_bytes(4, "big") + record


class Stranger:
    """Connects to the RPC port of a node under a key: a new one, or that of a seed."""

    def __init__(self, folder, node, source="127.0.0.1", seed=None):
        self.host, self.port, self.source = node.rpc_host, node.rpc_port, source
        self.certificate, self.key = folder / "stranger.pem", folder / "stranger.key"
        if seed:
            der = PKCS8 + seed
            made = openssl("pkey", "-inform", "DER", "-out", self.key, input=der)
            assert made.returncode == 0, made.stderr
            made = openssl("req", "-x509", "-key", self.key, "-subj", "/CN=x", "-out",
                           self.certificate)
        else:
            made = openssl("req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=x",
                           "-keyout", self.key, "-out", self.certificate)
        assert made.returncode == 0, made.stderr

    def context(self, protocol, shows_key=True):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if protocol:
            context.set_alpn_protocols([protocol])
        if shows_key:
            context.load_cert_chain(self.certificate, self.key)
        return context

    def plain(self, source=None):
        """A connection before its first byte."""
        link = socket.create_connection(
            (self.host, self.port), 15, source_address=(source or self.source, 0))
        return link

    @contextlib.contextmanager
    def tls(self, protocol, **options):
        with self.plain() as link:
            with self.context(protocol, **options).wrap_socket(link) as secured:
                yield secured

    def ask(self, request):
        """Asks to be admitted; returns the refusal's code and text, or 0 and the whole answer."""
        with self.tls(JOINER) as link:
            link.sendall(request)
            answer = everything(link)
        record = answer[4:]
        if record[1] == 1:
            return 0, record
        return record[2], record[4:].decode(errors="replace")


class Recorder:
    """Answers at a port as the node of a key, and takes a question."""

    def __init__(self, thief):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(thief.certificate, thief.key)
        self.context.set_alpn_protocols([JOINER])
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(15)
        self.port = self.listener.getsockname()[1]

    def question(self, answer=b""):
        link, _ = self.listener.accept()
        link.settimeout(10)
        with self.context.wrap_socket(link, server_side=True) as secured:
            head = exactly(secured, 4)
            question = head + exactly(secured, int.from_bytes(head, "big"))
            secured.sendall(answer)
            return question

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def exactly(link, count):
    out = b""
    while len(out) < count:
        piece = link.recv(count - len(out))
        assert piece
        out += piece
    return out


def everything(link):
    """All that comes before the other side closes."""
    out = b""
    with contextlib.suppress(ssl.SSLEOFError, ConnectionError):
        while piece := link.recv(65536):
            out += piece
    return out


def openssl(*arguments, input=None):
    return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, input=input)
