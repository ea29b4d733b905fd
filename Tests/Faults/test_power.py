"""Power cuts under load: only what was synced survives, so everything acknowledged must have been.

A killed process loses nothing that it gave to the kernel; this is the test that finds a missing
fsync. The last tests take one sync away each and expect the loss to be seen: a test that cannot go
red proves nothing.
"""

import subprocess

import pytest

from Faults.rounds import Rounds, wait_for_quiet
from harness.load import Failure
from harness.names import MEBIBYTE
from harness.server import DidNotStart

BYTES_A_ROUND = 120 * MEBIBYTE


def power_cut(server, disk):
    def fault(rounds):
        rounds.cut_power(disk)
        server.kill()
        disk.unmount()
        disk.mount()
    return fault


def test_nothing_acknowledged_is_lost_by_a_power_cut(node, disk, seed, rounds, minutes):
    server = node(disk.place)
    server.start()
    Rounds(server, power_cut(server, disk), seed, rounds, minutes, BYTES_A_ROUND).run()
    wait_for_quiet(server)
    assert server.stop() == 0
    disk.unmount()
    disk.check()


@pytest.mark.parametrize("missing", ["blocks", "wal", "folders"])
def test_a_missing_sync_is_noticed(node, disk, without_sync, seed, missing):
    server = node(disk.place, environment={
        "LD_PRELOAD": str(without_sync), "WITHOUT_SYNC": missing})
    server.start()
    with pytest.raises((Failure, DidNotStart)) as loss:
        Rounds(server, power_cut(server, disk), seed, 10, 4, BYTES_A_ROUND).run()
        pytest.fail(f"10 power cuts lost nothing without the sync of {missing}", pytrace=False)
    print(str(loss.value)[:1000])


def test_a_stopped_file_system_that_a_namespace_holds_is_not_mounted_again(disk):
    words = ["unshare", "--mount", "sh", "-c", "echo; exec sleep 600"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as holder:
        try:
            holder.stdout.readline()
            disk.cut_power()
            disk.unmount()
            with pytest.raises(AssertionError, match=rf"{holder.pid} \(sleep\)"):
                disk.mount()
        finally:
            holder.kill()
    disk.mount()
