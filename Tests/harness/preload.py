"""Libraries that programs under test are started with, from the C files of Tests/Faults."""

import subprocess
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[1] / "Faults"


def compiled(folder, name):
    """The library of the C file `name`."""
    library = folder / f"{name}.so"
    subprocess.run(
        ["cc", "-O2", "-Wall", "-shared", "-fPIC", "-o", library, SOURCES / f"{name}.c", "-ldl"], check=True)
    return library
