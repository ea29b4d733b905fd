"""Copies of this checkout, in which something else is built."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def git(*words):
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def copy(tree, kept=()):
    """Makes `tree` the same as the checkout, its uncommitted files included, but for the paths `kept`; returns the names.

    What has not changed is not written, so that it need not be compiled again.
    """
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    names = sorted({name for name in listed if name and (ROOT / name).is_file()})
    for name in names:
        restore(tree, name)
    wanted = set(names)
    for folder, folders, files in os.walk(tree):
        folders[:] = [name for name in folders if name not in (".build", "__pycache__")]
        for path in (Path(folder) / name for name in files):
            if path not in kept and str(path.relative_to(tree)) not in wanted:
                path.unlink()
    return names


def restore(tree, name):
    source, place = ROOT / name, tree / name
    data = source.read_bytes()
    if place.is_file() and place.read_bytes() == data:
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    place.chmod(source.stat().st_mode)


def apply_words(patch, *options):
    """A command that applies a patch where it runs; lines of context are few and may drift."""
    return ["git", "apply", "--recount", "-C1", "--whitespace=nowarn", *options, patch]


def apply_environment(tree):
    """With which git does not take `tree` for a part of the checkout."""
    return {"GIT_CEILING_DIRECTORIES": str(tree.parent)}
