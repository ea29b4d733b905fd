"""Names that break clients and servers, and trees of files that carry them."""

import hashlib
import os
import random
import time

MEBIBYTE = 1 << 20

# As file names: no "/", no empty component, no "." or "..".
FILE_NAMES = [
    "plain.txt", "with space", "two  spaces", " leading space", "trailing space ", "plus+sign",
    "percent%sign", "percent%2Fcoded", "100%", "%", "%25", "caf\u00e9", "cafe\u0301",
    "\u65e5\u672c\u8a9e.txt", "\u0440\u0443\u0441\u0441\u043a\u0438\u0439", "\u05e2\u05d1\u05e8\u05d9\u05ea",
    "\U0001f600.bin", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U00010348 beyond the plane",
    "quote'single", 'quote"double', "semi;colon", "amp&er&sand", "equals=sign", "question?mark",
    "hash#mark", "at@sign", "comma,", "colon:", "excl!", "dollar$", "star*", "paren(s)",
    "bracket[s]", "brace{s}", "less<than>", "pipe|", "back\\slash", "grave`", "caret^", "tilde~",
    "...", "..hidden", ".hidden", "trailing.", "-dash", "--double-dash", "_",
    "<Key>&amp;</Key>", "]]>", "\u00a0no-break", "\ufeffmark", "x" * 255,
]

# As keys only: a file system cannot hold them, or clients rewrite them.
KEY_NAMES = [
    "/leading", "//two-leading", "double//slash", "triple///slash", "trailing/", "/", "//",
    "..", "../up", "a/../b", "a/./b", "./here", "a/..", "tab\tinside", "a b/c d/e f",
    "control\u0001\u001f", "newline\ninside", "return\rinside", "\u007f", "x/" * 511 + "yy",
    "k" * 1024, "\U0001f600" * 256, "\u00e9" * 512, "\uffff", "\U0010ffff",
]

# Around what the server does differently: nothing, inline, one block, several, a client's parts.
SIZES = [
    0, 1, 2, 1000, 8191, 8192, 8193, 65535, 65536, 65537, MEBIBYTE - 1, MEBIBYTE, MEBIBYTE + 1,
    5 * MEBIBYTE, 8 * MEBIBYTE - 1, 8 * MEBIBYTE, 8 * MEBIBYTE + 1, 16 * MEBIBYTE + 3,
]
BIG = 200 * 1000 * 1000

# Clients compare a file's time with Last-Modified, which has whole seconds.
AN_HOUR_AGO = int(time.time()) - 3600


def content(size, seed):
    """Bytes that do not compress and differ for every seed."""
    return random.Random(f"content {seed}").randbytes(size)


def digest(path, algorithm="sha256"):
    state = hashlib.new(algorithm)
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            state.update(piece)
    return state.hexdigest()


def make_tree(folder, names=None, sizes=None, big=False):
    """A folder of difficult names and of all sizes. Returns {relative path: sha256}."""
    names = FILE_NAMES if names is None else names
    sizes = SIZES if sizes is None else sizes
    for index, name in enumerate(names):
        write(folder / "names" / name, content(index * 37 % 3000, name))
    for size in sizes:
        write(folder / "sizes" / f"{size}.bin", content(size, size))
    write(deep_path(folder), b"at the bottom of 1024 bytes")
    if big:
        write(folder / "sizes" / "big.bin", content(BIG, "big"))
    return hashes(folder)


def deep_path(folder):
    """A file whose relative path, the key under a sync, has 1024 bytes."""
    parts = ["deep"] + ["d" * 199] * 5
    return folder.joinpath(*parts, "f" * (1024 - len("/".join(parts)) - 1))


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (AN_HOUR_AGO, AN_HOUR_AGO))


def hashes(folder):
    return {
        str(path.relative_to(folder)): digest(path)
        for path in sorted(folder.rglob("*")) if path.is_file()
    }


def random_keys(count, seed):
    """Keys that share prefixes and differ in what a delimiter listing must get right."""
    source = random.Random(f"keys {seed}")
    pieces = ["a", "b", "ab", "a b", "\u00e9", "\U0001f600", "0", "~", "-", "/", "//", "!", "z" * 30]
    keys = set()
    while len(keys) < count:
        keys.add("".join(source.choice(pieces) for _ in range(source.randint(1, 8))))
    return sorted(keys, key=lambda key: key.encode())
