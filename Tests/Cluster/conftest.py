"""Clusters of a few nodes on this machine."""

import shutil
import time

import pytest

from Cluster.nodes import Nodes


@pytest.fixture
def nodes(run_folder, request):
    """Nodes for one test."""
    yield from made(run_folder / f"nodes-{time.monotonic_ns()}")


@pytest.fixture(scope="module")
def shared(run_folder):
    """Nodes for the tests of one file."""
    yield from made(run_folder / f"shared-{time.monotonic_ns()}")


@pytest.fixture(scope="module")
def founder(shared):
    return shared.founder()


def made(folder):
    nodes = Nodes(folder)
    try:
        yield nodes
        for node in nodes.all:
            ended = node.process and node.process.poll()
            assert ended is None, f"{node.name} ended with {ended}\n{node.log_tail()}"
    finally:
        nodes.end()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def figure(record_property):
    """Prints a measured figure, and writes it into the report."""
    def note(name, value):
        record_property(name, value)
        print(f"figure: {name}: {value}")
    return note
