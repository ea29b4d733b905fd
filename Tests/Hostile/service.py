"""What a normal client gets while the server is under attack, beside what it gets while all is quiet.

Quiet and attack take turns, several times, as the machine is busy with other things now and then: each
round's p99 under attack is compared with that of the quiet just before it, and the median of the rounds counts.
"""

import contextlib
import json
import statistics
import time

from Hostile.processes import AttackProcess, Child, Memory, described
from harness.server import BUCKET

# The demand: p99 of a normal client at most this many times its quiet value...
RATIO_MAX = 3
# ...where less than this is no failure: what a machine that is busy with something else does to a client now and then.
FLOOR_MS = {"get": 80, "fresh": 80, "put": 160}

ROUNDS = 3
SECONDS = 0.8


# Of what was not answered once in a round.
NEVER = 60_000


def p99(times):
    return sorted(times)[max(0, int(len(times) * 0.99 + 0.5) - 1)] if times else NEVER


class NormalClient(Child):
    """Samples of a client that does what it is used to."""

    def __init__(self, server, key="normal"):
        client = server.client()
        assert client.request("PUT", BUCKET, key, body=b"n" * 1000).status == 200
        client.close()
        super().__init__("Hostile.normal", [described(server), requests(server, key)])
        assert self.line() == "ready"

    def take(self):
        """What was measured since the last call; every request must have been answered."""
        self.say("")
        taken = json.loads(self.line())
        assert not taken["failures"], taken["failures"]
        return taken["times"]

    def during(self, seconds):
        self.take()
        time.sleep(seconds)
        return self.take()


def requests(server, key):
    """One presigned request of each kind, so that the client itself has little to do."""
    host, path = f"{server.host}:{server.port}", f"/{BUCKET}/{key}"
    get = (f"GET {path}?{server.credentials.presign('GET', host, path)} HTTP/1.1\r\n"
           f"Host: {host}\r\n\r\n")
    put_path = path + "-put"
    put = (f"PUT {put_path}?{server.credentials.presign('PUT', host, put_path)} HTTP/1.1\r\n"
           f"Host: {host}\r\nContent-Length: 1000\r\n\r\n" + "p" * 1000)
    return {"get": get, "fresh": get, "put": put}


class Comparison:
    """The rounds of one attack."""

    def __init__(self):
        self.quiet, self.attacked = [], []
        self.counts, self.now = [], []
        self.peak = 0

    def median(self, rounds, kind):
        return statistics.median(p99(times.get(kind)) for times in rounds)

    def ratio(self, kind):
        return statistics.median(
            p99(attacked.get(kind)) / p99(quiet.get(kind))
            for quiet, attacked in zip(self.quiet, self.attacked))

    @property
    def hurt(self):
        """The kinds of requests that are answered too late under attack."""
        return [kind for kind, floor in FLOOR_MS.items()
                if self.ratio(kind) > RATIO_MAX and self.median(self.attacked, kind) > floor]

    def __str__(self):
        parts = [
            f"{kind} {self.median(self.quiet, kind):.1f} -> {self.median(self.attacked, kind):.1f} ms"
            f" ({self.ratio(kind):.1f})" for kind in FLOOR_MS]
        return f"p99 {', '.join(parts)}; memory +{self.peak / (1 << 20):.1f} MiB; {self.counts[-1]}"


def compare(server, *attacks, rounds=ROUNDS, seconds=SECONDS):
    """A normal client beside `attacks`, pairs of a name and arguments, and without them."""
    comparison = Comparison()
    with NormalClient(server) as client:
        client.during(0.5)
        memory = Memory(server)
        for _ in range(rounds):
            comparison.quiet.append(client.during(seconds))
            with contextlib.ExitStack() as stack:
                under_way = [stack.enter_context(AttackProcess(server, name, **arguments))
                             for name, arguments in attacks]
                comparison.attacked.append(client.during(seconds))
                comparison.now.append(memory.above)
                comparison.counts.append([attack.end() for attack in under_way])
        comparison.peak = memory.peak_above
        # Nor has any of its requests been lost behind the attack.
        client.during(0.1)
    return comparison


class Measure:
    """`compare` as tests call it."""

    def __init__(self, rounds, note):
        self.rounds = rounds or ROUNDS
        # Who asks for more rounds wants to know it exactly.
        self.seconds = SECONDS if rounds is None else 3.0
        self.note = note

    def __call__(self, server, *attacks, memory_max):
        # So few requests are soon unlucky; twice is not bad luck.
        for rounds in self.rounds, self.rounds * 2 + 1:
            comparison = compare(server, *attacks, rounds=rounds, seconds=self.seconds)
            print(comparison)
            self.note("measured", str(comparison))
            assert comparison.peak <= memory_max, f"{comparison.peak >> 20} MiB more: {comparison}"
            if not comparison.hurt:
                return comparison
        raise AssertionError(f"{comparison.hurt}: {comparison}")
