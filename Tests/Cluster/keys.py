"""Ed25519 keys and records of the cluster state, signed by whoever one likes (docs/formats/cluster-state.md)."""

import ctypes
import ctypes.util
import hashlib
import ipaddress
import os
import time

from Cluster.tokens import varint

# libcrypto's, in EVP_PKEY_new_raw_private_key.
ED25519 = 1087
ADMISSION, ENDING, INVITE, REVOCATION, ANNOUNCEMENT, SETTING = range(1, 7)
CONFIGURED, PUBLIC, MAPPED, LAN, OBSERVED = range(1, 6)
DOMAIN = b"grange cluster record\0"
SIGNATURE_BYTES = 64

libcrypto = ctypes.CDLL(ctypes.util.find_library("crypto"))
for name in ("EVP_PKEY_new_raw_private_key", "EVP_MD_CTX_new"):
    getattr(libcrypto, name).restype = ctypes.c_void_p


class Key:
    """The key of a node: a new one, or that of a seed."""

    def __init__(self, seed=None):
        self.seed = seed or os.urandom(32)
        self.pointer = ctypes.c_void_p(libcrypto.EVP_PKEY_new_raw_private_key(
            ED25519, None, self.seed, ctypes.c_size_t(32)))
        found, length = ctypes.create_string_buffer(32), ctypes.c_size_t(32)
        assert libcrypto.EVP_PKEY_get_raw_public_key(self.pointer, found, ctypes.byref(length)) == 1
        self.public = found.raw

    @classmethod
    def of(cls, node):
        """That of a node of ours, from its folder."""
        return cls(bytes.fromhex((node.folder / "meta" / "node_key").read_text().strip()))

    @classmethod
    def of_invite(cls, secret):
        """That which the secret of a token makes."""
        return cls(hashlib.blake2b(b"grange invite key\0" + secret).digest()[:32])

    @property
    def id(self):
        return self.public.hex()

    def sign(self, data):
        context = ctypes.c_void_p(libcrypto.EVP_MD_CTX_new())
        found, length = ctypes.create_string_buffer(64), ctypes.c_size_t(64)
        try:
            assert libcrypto.EVP_DigestSignInit(context, None, None, None, self.pointer) == 1
            assert libcrypto.EVP_DigestSign(
                context, found, ctypes.byref(length), data, ctypes.c_size_t(len(data))) == 1
        finally:
            libcrypto.EVP_MD_CTX_free(context)
        return found.raw


def record(kind, body, key):
    """A record of these fields, signed by `key`, whoever it says it is from."""
    signed = b"\x01" + bytes([kind]) + varint(len(body)) + body
    return signed + key.sign(DOMAIN + signed)


def record_id(record):
    return hashlib.blake2b(record).digest()[:32]


def signed_number(number):
    return varint((number << 1) ^ (number >> 63))


def now():
    return int(time.time() * 1000)


def string(text):
    return varint(len(text.encode())) + text.encode()


def admission(cluster, subject, signer, key, invite=bytes(16)):
    """`signer` admits `subject`, says `key`."""
    return record(
        ADMISSION, cluster + subject + signer + invite + signed_number(now()), key)


def ending(cluster, subject, signer, key, keeps=()):
    kept = varint(len(keeps)) + b"".join(sorted(keeps))
    return record(ENDING, cluster + subject + signer + kept + signed_number(now()), key)


def invite(cluster, issuer, key, secret_key, uses=1):
    """An invite under a random ID whose secret makes `secret_key`."""
    body = cluster + os.urandom(16) + secret_key.public + issuer + varint(uses)
    return record(INVITE, body + signed_number(now() + 3_600_000) + b"\0\0", key)


def announcement(cluster, node, key, addresses, sequence=None, name="bad"):
    """`node` is at `addresses`, says `key`: pairs of a kind and `host:port`."""
    body = cluster + node + (sequence or now()).to_bytes(8, "big") + string(name)
    body += b"\0\0" + varint(0) + string("0.1.0") + b"\0\x01\0\x01" + varint(0)
    body += varint(len(addresses))
    body += b"".join(bytes([kind]) + address(text) for kind, text in addresses)
    return record(ANNOUNCEMENT, body + b"\0", key)


def address(text):
    host, _, port = text.rpartition(":")
    port = int(port).to_bytes(2, "big")
    try:
        ip = ipaddress.ip_address(host.strip("[]"))
        return bytes([ip.version]) + ip.packed + port
    except ValueError:
        return b"\x01" + string(host) + port
