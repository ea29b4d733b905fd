"""Fixtures of the fault tests."""

import random
import shutil
import subprocess
import uuid

import pytest

from harness import disk as disks
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
def disk(folder, request):
    if not disks.is_available():
        pytest.skip("cutting the power of a disk needs root and loop devices")
    made = disks.Disk(folder)
    yield made
    made.remove(keep_image=is_kept(request))


@pytest.fixture
def without_sync(folder):
    """The library that takes syncs away, compiled here."""
    library = folder / "without_sync.so"
    source = __file__.replace("conftest.py", "without_sync.c")
    subprocess.run(
        ["cc", "-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


@pytest.fixture
def node(folder, request):
    """Makes a server; whatever is left of it is killed at the end, before its disk is taken away."""
    if "disk" in request.fixturenames:
        request.getfixturevalue("disk")
    made = []

    def make(place=folder, **options):
        made.append(Server(place / "node", own=folder, **options))
        return made[-1]

    yield make
    for server in made:
        server.kill()
