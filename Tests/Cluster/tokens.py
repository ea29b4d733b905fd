"""Tokens taken apart and put together again, as somebody with bad intentions would."""

import base64
import hashlib
import ipaddress

PREFIX = "GRANGE1:"


def varint(number):
    out = bytearray()
    while True:
        byte, number = number & 127, number >> 7
        out.append(byte | (128 if number else 0))
        if not number:
            return bytes(out)


class Token:
    """The parts of a token (Sources/Cluster/Invites/JoinToken.swift)."""

    def __init__(self, text):
        packed = text.strip().removeprefix(PREFIX)
        body = base64.b32decode(packed + "=" * (-len(packed) % 8))[2:-4]
        self.cluster, self.invite, self.secret = body[:32], body[32:48], body[48:64]
        end = 64
        while body[end] & 128:
            end += 1
        self.expiry, self.peers = body[64:end + 1], body[end + 1:]

    def naming(self, peer, *addresses):
        """The same token, which names one peer (64 hex digits) at IPv4 addresses `host:port`."""
        self.peers = b"\x01" + bytes.fromhex(peer) + varint(len(addresses))
        for address in addresses:
            host, port = address.split(":")
            self.peers += b"\x04" + ipaddress.IPv4Address(host).packed + int(port).to_bytes(2, "big")
        return self

    @property
    def text(self):
        body = self.cluster + self.invite + self.secret + self.expiry + self.peers
        body = (len(body) + 6).to_bytes(2, "big") + body
        body += hashlib.blake2b(body).digest()[:4]
        return PREFIX + base64.b32encode(body).decode().rstrip("=")
