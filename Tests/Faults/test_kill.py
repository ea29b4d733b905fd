"""kill -9 under load: what was acknowledged is there, and the node starts again by itself."""

import time

from Faults.rounds import Rounds, wait_for_quiet
from harness.names import MEBIBYTE


def test_nothing_acknowledged_is_lost_by_a_kill(node, seed, rounds, minutes):
    server = node()
    server.start()

    def fault(rounds):
        server.kill()
        # Now and then it dies again while it is still getting up.
        if rounds.source.random() < 0.25:
            server.start(wait=False)
            time.sleep(rounds.source.uniform(0.0, 0.1))
            server.kill()

    done = Rounds(server, fault, seed, rounds, minutes, 200 * MEBIBYTE).run()
    assert done.done > 0
    wait_for_quiet(server)
    assert server.stop() == 0


def test_a_clean_stop_under_load_loses_nothing(node, seed, minutes):
    """SIGTERM lets running requests end and is obeyed within 5 s."""
    server = node()
    server.start()

    def fault(rounds):
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 6

    Rounds(server, fault, seed, 3, minutes, 200 * MEBIBYTE).run()
    wait_for_quiet(server)
    assert server.stop() == 0
