"""Calls of a running program that fail or take long, for files that a test names (Tests/Faults/failing.c)."""

import mmap


class Failing:
    """The rules that a program started with `environment` obeys from one call to the next."""

    def __init__(self, library, path):
        path.write_bytes(bytes(mmap.PAGESIZE))
        with open(path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self.environment = {"LD_PRELOAD": str(library), "FAILING": str(path)}

    def set(self, *rules):
        """`(call, fragment of the path, errno, milliseconds)`, the first that fits counts; none: all is well."""
        lines = "".join(
            f"{call} {fragment} {int(error)} {milliseconds}\n"
            for call, fragment, error, milliseconds in rules).encode()
        assert len(lines) < len(self.page)
        self.page[0] = 0
        self.page[1:] = lines[1:].ljust(len(self.page) - 1, b"\0")
        self.page[0] = lines[0] if lines else 0

    def clear(self):
        self.set()
