"""Fixtures of the fault tests."""

import random
import shutil
import uuid

import pytest

from harness import disk as disks
from harness.clock import SteppedClock
from harness.failing import Failing
from harness.preload import compiled
from harness.server import Server


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


def is_kept(request):
    """A failure's files are evidence if somebody said where to keep them."""
    return request.config.getoption("--keep") and request.node.stash.get(FAILED, False)


@pytest.fixture(scope="session", autouse=True)
def own_mounts():
    """Before any server starts, as it must see what is mounted under it."""
    if disks.is_available():
        disks.move_apart()


@pytest.fixture
def folder(run_folder, request):
    path = run_folder / f"fault-{uuid.uuid4().hex[:8]}"
    path.mkdir()
    yield path
    if is_kept(request):
        shutil.move(path, request.config.getoption("--keep"))
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def seed(pytestconfig):
    given = pytestconfig.getoption("--seed")
    return random.randrange(1 << 32) if given is None else given


@pytest.fixture
def rounds(pytestconfig):
    return pytestconfig.getoption("--rounds") or 20


@pytest.fixture
def minutes(pytestconfig):
    """None: as long as the rounds take; the step that runs the tests has a limit."""
    return pytestconfig.getoption("--minutes")


@pytest.fixture
def disk_of(folder, request):
    """Makes and mounts disks: `disk_of("96M")`, a second one with a name of its own."""
    if not disks.is_available():
        pytest.skip("mounting a disk needs root and loop devices")
    made = []

    def make(size, name="disk"):
        made.append(disks.Disk(folder, size, name))
        return made[-1]

    yield make
    for disk in made:
        disk.remove(keep_image=is_kept(request))


@pytest.fixture
def disk(disk_of):
    """A disk with room for many rounds of load."""
    return disk_of("12G")


@pytest.fixture
def without_sync(folder):
    """The library that takes syncs away."""
    return compiled(folder, "without_sync")


@pytest.fixture
def failing(folder):
    """Calls that fail when told to, of servers made with its `environment`."""
    return Failing(compiled(folder, "failing"), folder / "failing.rules")


@pytest.fixture
def clock(folder):
    """A wall clock that can be set, of servers made with its `environment`."""
    return SteppedClock(compiled(folder, "stepped_clock"), folder / "clock.offset")


@pytest.fixture
def node(folder, request):
    """Makes a server; whatever is left of it is killed at the end, before its disk is taken away."""
    if "disk_of" in request.fixturenames:
        request.getfixturevalue("disk_of")
    made = []

    def make(place=folder, **options):
        made.append(Server(place / "node", own=folder, **options))
        return made[-1]

    yield make
    for server in made:
        server.kill()
