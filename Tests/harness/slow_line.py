"""scripts/bench line [SECONDS] [CONGESTION]

What blocks on a slow line do to small questions of the same two nodes, with `rpc.upload_limit` at 0.9 of the line and
without: `grange-bench mesh-ask` and `mesh-answer` in two network namespaces. TCP's congestion control is reno, or
the one that is named: without a limit much depends on it. Most systems have cubic, which fills queues as reno does, but
which namespaces may often not choose. Needs root.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from Cluster.wan import Wan, is_available  # noqa: E402
from harness import state  # noqa: E402
from harness.generators import grange_bench  # noqa: E402

RATE_MBIT, ROUND_TRIP = 20, 40
SHARE = 0.9
PORT = 3901
# The goal: p99 beside blocks, over p99 alone.
GOAL = 1.5
NAMES = {"quiet": "alone", "out": "beside blocks out", "in": "beside blocks in",
         "both": "beside blocks both ways"}


def figures(wan, limit, seconds):
    """What `mesh-ask` found, by what went on beside the questions."""
    address = f"{wan.address(2)}:{PORT}"
    answerer = subprocess.Popen([*wan.inside(2), grange_bench(), "mesh-answer", address, str(limit)])
    state.record_process(answerer.pid)
    try:
        done = subprocess.run(
            [*wan.inside(1), grange_bench(), "mesh-ask", address, str(limit), str(seconds)],
            check=True, capture_output=True, text=True, timeout=60 + 8 * seconds)
        return json.loads(done.stdout)
    finally:
        answerer.kill()
        answerer.wait()
        state.forget_process(answerer.pid)


def print_rows(name, found):
    quiet = found["quiet"]["p99_ms"]
    for key, figure in found.items():
        ratio = figure["p99_ms"] / quiet
        print(f"| {name} | {NAMES[key]} | {figure['p50_ms']:.1f} ms | {figure['p99_ms']:.1f} ms | {ratio:.2f} "
              f"| {figure['out_mbit_s']:.1f} | {figure['in_mbit_s']:.1f} | {figure['questions']} |",
              flush=True)


def run(seconds, congestion):
    if not is_available():
        sys.exit("scripts/bench line: the emulated line needs root and /dev/net/tun")
    folder = state.folder("run", f"line-{os.getpid()}")
    wan = Wan(folder, 2, ROUND_TRIP, namespace=f"hbench{os.getpid()}w")
    try:
        wan("rate", 1, 2, RATE_MBIT)
        for host in (1, 2):
            subprocess.run([*wan.inside(host), "sysctl", "-qw",
                            f"net.ipv4.tcp_congestion_control={congestion}"], check=True)
        limit = int(SHARE * RATE_MBIT * 1e6 / 8)
        print(f"A line of {RATE_MBIT} Mbit/s each way, {ROUND_TRIP} ms, with a queue of 200 ms, {congestion}; "
              f"{seconds} s a figure; load {os.getloadavg()[0]:.1f} at the start, {time.strftime('%F %T')}\n")
        print("| upload limit | questions | median | p99 | of p99 alone | blocks out, Mbit/s | in, Mbit/s | count |\n"
              "|---|---|---|---|---|---|---|---|")
        limited = figures(wan, limit, seconds)
        print_rows(f"{SHARE * RATE_MBIT:.0f} Mbit/s", limited)
        print_rows("none", figures(wan, 0, seconds))
        worst = max(figure["p99_ms"] for figure in limited.values()) / limited["quiet"]["p99_ms"]
        print(f"\nWith the limit, p99 beside blocks is {worst:.2f} of p99 alone; the goal is {GOAL}.")
    finally:
        wan.end()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    given = dict(enumerate(sys.argv[1:]))
    run(float(given.get(0, 15)), given.get(1, "reno"))
