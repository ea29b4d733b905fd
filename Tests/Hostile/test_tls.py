"""The HTTPS port: TLS 1.2 and 1.3, nothing older or weaker, and nothing that only attacks have a use for."""

import re
import socket
import ssl
import subprocess
import warnings

import pytest

from harness.server import Server

LIMIT = 10


@pytest.fixture(scope="module", params=["ec", "rsa"])
def port(request, run_folder, authority):
    """A server with either kind of certificate: with RSA there are more weak ciphers to refuse."""
    certificate, key = authority.issue(f"tls-{request.param}", ["127.0.0.1"], kind=request.param)
    folder = run_folder / f"tls-{request.param}"
    server = Server(folder, tls=(certificate, key, authority.certificate)).start()
    try:
        yield server
        assert server.stop() == 0
    finally:
        server.kill()


def weak_client(server, lowest, highest, ciphers="ALL:COMPLEMENTOFALL:@SECLEVEL=0"):
    """A client that would take anything between the two versions."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers(ciphers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = lowest, highest
    with socket.create_connection((server.host, server.port), LIMIT) as link:
        with context.wrap_socket(link) as secured:
            return secured.version(), secured.cipher()[0], secured.compression()


VERSION = ssl.TLSVersion


@pytest.mark.parametrize("version", [VERSION.TLSv1, VERSION.TLSv1_1], ids=str)
def test_old_versions_are_refused(port, version):
    with pytest.raises(ssl.SSLError) as refused:
        weak_client(port, version, version)
    # The server said so; it is not this client that cannot speak it.
    assert "ALERT_PROTOCOL_VERSION" in str(refused.value)


@pytest.mark.parametrize("version", [VERSION.TLSv1_2, VERSION.TLSv1_3], ids=str)
def test_current_versions_are_spoken(port, version):
    spoken, cipher, compression = weak_client(port, version, version)
    assert spoken == version.name.replace("_", ".")
    assert "GCM" in cipher or "CHACHA20" in cipher
    assert compression is None


WEAK = {
    "no encryption": "eNULL", "no authentication": "aNULL", "RC4, DES and 3DES": "RC4:DES:3DES",
    "without forward secrecy": "kRSA", "CBC": "SHA1:SHA256:SHA384:!AESGCM", "PSK": "PSK:SRP",
    "export and low": "EXPORT:LOW:IDEA:SEED:CAMELLIA:ARIA",
}


@pytest.mark.parametrize("name", WEAK)
def test_weak_ciphers_are_refused(port, name):
    try:
        answer = weak_client(port, VERSION.TLSv1_2, VERSION.TLSv1_2, WEAK[name] + ":@SECLEVEL=0")
    except ssl.SSLError as error:
        # Refused by the server, or not even known to this machine's OpenSSL.
        assert re.search("HANDSHAKE_FAILURE|no ciphers? ", str(error), re.IGNORECASE), error
    else:
        raise AssertionError(answer)


def s_client(server, *options, typed=b"", wait=LIMIT):
    """What `openssl s_client` says when `typed` is typed."""
    process = subprocess.Popen(
        ["openssl", "s_client", "-connect", f"{server.host}:{server.port}", *options],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        process.stdin.write(typed)
        process.stdin.flush()
        out, _ = process.communicate(timeout=wait)
    except (subprocess.TimeoutExpired, BrokenPipeError):
        process.kill()
        out, _ = process.communicate()
    return out.decode(errors="replace")


def test_renegotiation_is_refused(port):
    """It has no use but attacks: a handshake costs a server more than a client."""
    said = s_client(port, "-tls1_2", "-msg", typed=b"R\n", wait=3)
    assert "RENEGOTIATING" in said, said[-2000:]
    assert said.count("ClientHello") == 2 and said.count("ServerHello\n") == 1, said[-2000:]


def test_compression_is_off(port):
    assert "Compression: NONE" in s_client(port, "-tls1_2", "-comp")


def test_a_garbled_record_ends_the_connection(port):
    for garbage in (b"\x16\x03\x01\xff\xff" + b"a" * 70_000, b"\x80\x2e\x01\x03\x01" + bytes(44),
                    b"\x15\x03\x03\x00\x02\x02\x28", b"\x17\x03\x03\x00\x10" + bytes(16),
                    b"\x16\x03\x01\x00\x04\x01\xff\xff\xff" * 1000, b"GET / HTTP/1.1\r\n\r\n"):
        with socket.create_connection((port.host, port.port), LIMIT) as link:
            link.sendall(garbage)
            data = b"x"
            try:
                while data:
                    data = link.recv(4096)
            except ConnectionResetError:
                pass
    weak_client(port, VERSION.TLSv1_3, VERSION.TLSv1_3)
