"""A running program's wall clock, set by a test (Tests/Faults/stepped_clock.c)."""

import mmap
import struct


class SteppedClock:
    """The clock of programs started with `environment`."""

    def __init__(self, library, path):
        path.write_bytes(bytes(8))
        with open(path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), 8)
        self.environment = {"LD_PRELOAD": str(library), "STEPPED_CLOCK": str(path)}

    def set(self, seconds):
        """The clock is `seconds` ahead of the right time from now on, or behind it."""
        self.page[:] = struct.pack("q", seconds)
