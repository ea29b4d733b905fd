"""File systems of client programs (FUSE): mounted for a while, and unmounted whatever happens."""

import contextlib
import os
import shutil
import subprocess
import time

from . import state

# s3fs looks at the bucket first; unmounting waits until the last file is uploaded.
MOUNT_LIMIT = 30
UNMOUNT_LIMIT = 60


def obstacle():
    """Why nothing can be mounted here, or None."""
    if not shutil.which("fusermount3"):
        return "fusermount3 is not installed"
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as error:
        return f"/dev/fuse cannot be opened: {error.strerror}"
    return None


@contextlib.contextmanager
def mounted(words, place, environment):
    """Runs `words`, which mounts `place` (below the state folder) and stays in the foreground.

    At the end it must have unmounted in order, everything written.
    """
    place.mkdir(parents=True)
    log_path = place.with_name(place.name + ".log")
    with open(log_path, "wb") as log:
        process = subprocess.Popen(
            words, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    state.record_process(process.pid)
    try:
        wait_until_mounted(place, process, log_path)
        yield place
        subprocess.run(["fusermount3", "-u", place], check=True, timeout=UNMOUNT_LIMIT)
        assert process.wait(UNMOUNT_LIMIT) == 0, log_path.read_text(errors="replace")[-4000:]
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        state.forget_process(process.pid)
        for left in state.mounts_below(place):
            subprocess.run(["umount", "--lazy", left], check=False)


def wait_until_mounted(place, process, log_path):
    deadline = time.monotonic() + MOUNT_LIMIT
    while not os.path.ismount(place):
        assert process.poll() is None and time.monotonic() < deadline, (
            log_path.read_text(errors="replace")[-4000:])
        time.sleep(0.02)
