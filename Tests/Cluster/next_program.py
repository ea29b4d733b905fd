"""The program as its next version may be: Tests/NextProtocol/next-protocol.patch, built in a copy of the checkout."""

import hashlib
import os
import subprocess
from pathlib import Path

from harness import checkout

PATCH = checkout.ROOT / "Tests" / "NextProtocol" / "next-protocol.patch"
TREE = checkout.ROOT / ".build" / "next" / "tree"
# What the copy was made of when it was built last.
STAMP = TREE.parent / "stamp"
PROGRAM = TREE / ".build" / "debug" / "grange"
# A debug build compiles in the shortest time.
BUILD = ["swift", "build", "--product", "grange", "--disable-index-store", "-debug-info-format", "none"]
BUILD_LIMIT = 600


def built():
    """The program: GRANGE_NEXT_PROGRAM, or one that is built now."""
    given = os.environ.get("GRANGE_NEXT_PROGRAM")
    if given:
        return Path(given)
    made_of = hashlib.sha256(PATCH.read_bytes())
    for name in checkout.git("ls-files", "-z", "--cached", "--others", "--exclude-standard",
                             "Package.swift", "Sources").split("\0"):
        path = checkout.ROOT / name
        if name and path.is_file():
            made_of.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}".encode())
    if not (PROGRAM.exists() and STAMP.exists() and STAMP.read_text() == made_of.hexdigest()):
        STAMP.unlink(missing_ok=True)
        checkout.copy(TREE)
        run(checkout.apply_words(PATCH), checkout.apply_environment(TREE))
        run(BUILD)
        STAMP.write_text(made_of.hexdigest())
    return PROGRAM


def run(words, environment=None):
    done = subprocess.run(words, cwd=TREE, env={**os.environ, **(environment or {})}, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=BUILD_LIMIT)
    assert done.returncode == 0, f"{words}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
