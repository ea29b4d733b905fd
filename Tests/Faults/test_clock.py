"""A wall clock that is set while the node runs: the later write wins whatever the clock says.

Timers, timeouts and what waits to be released do not follow it (ModelTests/ClockStepTests.swift).
"""

import time

from Faults.rounds import wait_for_quiet
from harness import load
from harness.journal import Journal
from harness.names import MEBIBYTE
from harness.server import BUCKET

MINUTE, DAY, YEAR = 60, 86_400, 365 * 86_400


def test_steps_under_load(node, clock, seed):
    """Clients whose clocks stay right meet no error while the server's is off by less than 15 minutes."""
    server = node(environment=clock.environment).start()
    journal = Journal()
    running = load.Load(server, journal, seed, bytes_max=400 * MEBIBYTE).start()
    for offset in (10, -10, 14, -14, 0, 5, -3, 0):
        clock.set(offset * MINUTE)
        time.sleep(0.4)
    running.stop().check()
    load.verify(server, journal)
    server.kill()
    clock.set(-14 * MINUTE)
    server.start()
    load.verify(server, journal)
    wait_for_quiet(server)
    assert server.stop() == 0


def test_years_back_and_forth(node, clock, seed):
    """Clients that follow the clock, as those on the same machine do, write and read as if nothing was."""
    server = node(environment=clock.environment).start()
    journal = Journal()
    for number, offset in enumerate((20 * YEAR, 0, -50 * YEAR, DAY, -DAY, 0)):
        clock.set(offset)
        # With the clock that was right before the step.
        refused = server.client().request("PUT", BUCKET, "too early", body=b"x")
        moved = server.credentials.clock_shift != offset
        assert (refused.status, refused.code) == (
            (403, "RequestTimeTooSkewed") if moved else (200, None))
        server.credentials.clock_shift = offset
        load.Load(server, journal, f"{seed} {number}", bytes_max=25 * MEBIBYTE).start().stop().check()
        load.verify(server, journal)
        if number % 2:
            server.kill()
            server.start()
            load.verify(server, journal)
    wait_for_quiet(server)
    assert server.stop() == 0


def test_a_clock_that_cannot_be_right_is_named(node, clock):
    server = node(environment=clock.environment).start()
    for offset, words in ((-50 * YEAR, "in the past"), (-DAY, "this node wrote files at")):
        clock.set(offset)
        assert any(words in line for line in server.command_json("status")["attention"]), words
        server.kill()
        server.credentials.clock_shift = offset
        server.start()
        assert words in server.log_tail()
    server.kill()
