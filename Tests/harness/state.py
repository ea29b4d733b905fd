"""Where test runs keep their files, and how an aborted run is cleaned up after.

Everything that outlives a test process is written down before it is made: a process as a file
`pids/<pid>` with its start time, a mount by its place below the state folder. `scripts/test` calls
`python3 Tests/harness/state.py clean` before it begins.

Nothing is ever killed by name: a pid is only signalled if it still has the recorded start time.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("GRANGE_TEST_STATE", ROOT / ".build" / "test-state"))


def folder(*parts):
    path = FOLDER.joinpath(*parts)
    path.mkdir(parents=True, exist_ok=True)
    return path


def start_time(pid):
    """Start time of a process in clock ticks since boot, or None if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return int(stat.read().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None


def record_process(pid):
    (folder("pids") / str(pid)).write_text(str(start_time(pid)))


def forget_process(pid):
    (folder("pids") / str(pid)).unlink(missing_ok=True)


def clean_processes():
    for entry in folder("pids").iterdir():
        pid = int(entry.name)
        if str(start_time(pid)) == entry.read_text():
            os.kill(pid, signal.SIGKILL)
            while str(start_time(pid)) == entry.read_text():
                time.sleep(0.02)
        entry.unlink()


def mounts_below(path):
    """Mount points at or below `path`, innermost first."""
    found = []
    with open("/proc/self/mounts") as mounts:
        for line in mounts:
            place = line.split()[1].encode().decode("unicode_escape")
            if place == str(path) or place.startswith(f"{path}/"):
                found.append(place)
    return sorted(found, key=len, reverse=True)


def clean_mounts():
    for place in mounts_below(FOLDER):
        subprocess.run(["umount", place], check=False)


def clean():
    """Removes what an aborted run left: processes, mounts, files."""
    clean_processes()
    clean_mounts()
    if mounts_below(FOLDER):
        sys.exit(f"still mounted, in use by someone: {mounts_below(FOLDER)}")
    shutil.rmtree(FOLDER / "run", ignore_errors=True)


if __name__ == "__main__":
    if sys.argv[1:] != ["clean"]:
        sys.exit("usage: state.py clean")
    clean()
