"""turns.py OTHER_PROGRAM [--rounds N] [--seconds S]

PUT and GET of 1 KiB on a node that stores alone, by this checkout's release build and by another build of it, in turns:
operations a second and processor time an operation, of the server. What else the machine does hits both alike; the median
of the rounds is printed, and the middle half of them.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import state  # noqa: E402
from harness.generators import Load, ours  # noqa: E402
from harness.server import Server  # noqa: E402

CASES = [("put", 1), ("put", 32), ("get", 1), ("get", 32)]
OBJECTS = 1000


class Contender(Server):
    """A server of one of the two programs."""

    def __init__(self, folder, path):
        self.path = path
        super().__init__(folder)

    @property
    def program(self):
        return self.path

    def measure(self, operation, concurrency, seconds, turn):
        if operation == "get":
            load = Load("get", concurrency=concurrency, seconds=seconds, prefix="read/", objects=OBJECTS)
        else:
            load = Load("put", concurrency=concurrency, seconds=seconds,
                        prefix=f"put/{concurrency}/{turn}/", objects=1_000_000)
        return ours(self, load)


def spread(values):
    ordered = sorted(values)
    quarter = len(ordered) // 4
    return statistics.median(ordered), ordered[quarter], ordered[-1 - quarter]


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("other")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=3)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="turns-", dir=os.environ.get("TMPDIR", "/tmp")))
    contenders = {
        "this": Contender(folder / "this", state.ROOT / ".build" / "release" / "grange"),
        "other": Contender(folder / "other", options.other)}
    try:
        for contender in contenders.values():
            contender.start()
            ours(contender, Load("fill", concurrency=8, prefix="read/", objects=OBJECTS))
        print("| what | at a time | | this | other | this / other |\n|---|---|---|---|---|---|")
        for operation, concurrency in CASES:
            rates, costs = {}, {}
            for number in range(options.rounds):
                # The second of a pair has the machine as the first left it: each is that as often.
                order = list(contenders) if number % 2 == 0 else list(contenders)[::-1]
                for name in order:
                    done = contenders[name].measure(operation, concurrency, options.seconds, number)
                    rates.setdefault(name, []).append(done["ops_s"])
                    costs.setdefault(name, []).append(done["server_cpu_us_per_op"])
            for what, values in (("operations/s", rates), ("processor, us each", costs)):
                this, other = spread(values["this"]), spread(values["other"])
                ratio = statistics.median(a / b for a, b in zip(values["this"], values["other"]))
                print(f"| {operation.upper()} 1 KiB | {concurrency} | {what} | "
                      f"{this[0]:,.0f} ({this[1]:,.0f} to {this[2]:,.0f}) | "
                      f"{other[0]:,.0f} ({other[1]:,.0f} to {other[2]:,.0f}) | {ratio:.3f} |", flush=True)
    finally:
        for contender in contenders.values():
            if contender.process:
                contender.kill()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
