"""Rounds of load, fault, restart, check; and the quiet at the end."""

import math
import random
import time

from harness import load
from harness.journal import Journal

# Longer than any background pass of the server needs to notice what a fault left.
QUIET_LIMIT = 90


class Rounds:
    """Repeats a fault until the rounds or the minutes are used up, whichever comes first."""

    def __init__(self, server, fault, seed, rounds, minutes, bytes_a_round):
        self.server = server
        self.fault = fault
        self.source = random.Random(seed)
        self.seed = seed
        self.rounds = rounds
        self.deadline = time.monotonic() + (minutes * 60 if minutes else math.inf)
        self.bytes_a_round = bytes_a_round
        self.journal = Journal()
        self.done = 0

    def cut_power(self, disk):
        self.journal.power_ends()
        disk.cut_power()

    def run(self):
        try:
            while self.done < self.rounds and time.monotonic() < self.deadline:
                self.round()
                self.done += 1
        finally:
            print(f"{self.done} rounds, {self.journal.acknowledged_count()} acknowledged changes")
        return self

    def round(self):
        running = load.Load(
            self.server, self.journal, f"{self.seed} {self.done}", bytes_max=self.bytes_a_round)
        running.start()
        try:
            time.sleep(self.source.uniform(0.3, 2.0))
            running.fault_begins()
            self.fault(self)
        finally:
            running.stop()
        try:
            running.check()
            self.journal.power_returns()
            self.server.start()
            load.verify(self.server, self.journal)
        except AssertionError as error:
            raise type(error)(
                f"round {self.done}, seed {self.seed}: {error}\n{self.server.log_tail()}") from None


def wait_for_quiet(server):
    """Until no block file is without reference and no reference without file."""
    deadline = time.monotonic() + QUIET_LIMIT
    while True:
        done = server.command("repair", "blocks", "--check", check=False)
        if done.returncode == 0:
            return
        if time.monotonic() > deadline:
            raise AssertionError(
                f"not clean {QUIET_LIMIT} s after the last request: {done.stdout}{done.stderr}")
        time.sleep(1)
