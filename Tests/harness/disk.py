"""A disk whose power can be cut: ext4 in a file, mounted through a loop device.

FS_IOC_SHUTDOWN without a log flush stops the file system where it is: what was synced is on the
disk, what only the page cache and the journal in memory had is gone, as after a power failure. The
next mount replays the journal. Needs root.

A stopped file system is gone only when no mount namespace holds it any more; who makes a namespace
takes a copy of every mount that he sees along. So disks are mounted where nobody else sees them: the
process moves to a namespace of its own, and lets go of the disks of others there.
"""

import ctypes
import errno
import fcntl
import functools
import os
import struct
import subprocess
import time
from pathlib import Path

from . import state

FS_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2
CLONE_NEWNS = 0x00020000


class Disk:
    def __init__(self, folder, size="12G", name="disk"):
        move_apart()
        self.image = folder / f"{name}.img"
        self.place = folder / name
        self.place.mkdir()
        run("truncate", "-s", size, self.image)
        run("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1",
            self.image)
        self.mount()

    def mount(self):
        """Mounts the disk as it is after a power cut, with its journal replayed.

        A file system that another mount namespace still holds (one that was made from ours) is not
        read again: the stopped one comes back, and all of it fails with EIO.
        """
        for _ in range(50):
            run("mount", "-o", "loop", self.image, self.place)
            if self.is_running():
                return
            holders = self.holders()
            self.unmount()
            time.sleep(0.1)
        raise AssertionError(
            f"{self.place}: the stopped file system does not go away, as the mount namespace of "
            f"{holders or 'a process that has ended'} holds it")

    def is_running(self):
        probe = self.place / ".running"
        try:
            probe.touch()
            probe.unlink()
        except OSError as error:
            if error.errno not in (errno.EIO, errno.EROFS):
                raise
            return False
        return True

    def holders(self):
        """Processes of other mount namespaces in which the disk is mounted, as `pid (name)`."""
        status = os.stat(self.place)
        device = f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}"
        own = os.readlink("/proc/self/ns/mnt")
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(process / "ns/mnt") == own:
                    continue
                mounts = (process / "mountinfo").read_text().splitlines()
                if any(line.split()[2] == device for line in mounts):
                    found.append(f"{process.name} ({(process / 'comm').read_text().strip()})")
            except OSError:
                continue  # It has ended.
        return ", ".join(found)

    def cut_power(self):
        """From the return on, nothing reaches the disk any more."""
        folder = os.open(self.place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(folder, FS_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(folder)

    def unmount(self):
        for _ in range(100):
            done = subprocess.run(["umount", self.place], capture_output=True, text=True)
            if done.returncode == 0:
                return
            time.sleep(0.1)
        raise AssertionError(f"umount: {done.stderr}")

    def stop_writing(self):
        """Makes the disk read-only as an error that ext4 meets does, while files are open for writing."""
        run("mount", "-o", "remount,errors=remount-ro", self.place)
        device = os.path.basename(source_of(self.place))
        Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("a test")

    def check(self):
        """The file system itself must be whole, or the test blames the wrong program."""
        done = subprocess.run(["e2fsck", "-f", "-n", self.image], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout

    def remove(self, keep_image=False):
        if str(self.place) in state.mounts_below(self.place):
            self.unmount()
        if not keep_image:
            self.image.unlink(missing_ok=True)


@functools.cache
def move_apart():
    """Gives this thread, and what it starts from now on, mounts of their own."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    run("mount", "--make-rprivate", "/")
    with open("/proc/thread-self/mounts") as mounts:
        others = [line.split()[1] for line in mounts if line.startswith("/dev/loop")]
    for place in reversed(others):
        subprocess.run(["umount", place.encode().decode("unicode_escape")], capture_output=True)


def source_of(place):
    """The device that is mounted at `place`."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        source, mounted, *_ = line.split()
        if mounted == str(place):
            return source
    raise AssertionError(f"nothing is mounted at {place}")


def is_available():
    return os.geteuid() == 0 and os.path.exists("/dev/loop-control")


def run(*words):
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    assert done.returncode == 0, f"{words}: {done.stderr}"
