"""scripts/bench idle [NODES...] [--seconds N]

What clusters of so many nodes cost while nobody asks anything of them: memory, processor time, and bytes between the
nodes. Each node is a process in a network namespace of its own; what its interface carries is counted, with the heads of
IP and TCP and all of TLS. Needs root.
"""

import argparse
import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from Cluster.nodes import Nodes, mesh  # noqa: E402
from Cluster.wan import Wan, is_available  # noqa: E402
from harness import state  # noqa: E402

ROUND_TRIP = 20
# Starts of thirty nodes on two cores.
MESH_LIMIT = 120
# The second connection of each pair is made after the first, and allocators give back what the start took.
SETTLE_SECONDS = 60
DAY = 86400
# As many as the emulator has hosts.
NODES_MAX = 32


@dataclass
class Reading:
    """What one node has used so far."""

    sent: int
    received: int
    packets: int
    processor: float


def reading(node):
    line = next(line for line in (node.proc / "net" / "dev").read_text().splitlines()
                if line.strip().startswith("wan0:"))
    fields = [int(word) for word in line.partition(":")[2].split()]
    # The clock of a process, by its ID (clock_getcpuclockid).
    clock = (~node.process.pid << 3) | 2
    return Reading(sent=fields[8], received=fields[0], packets=fields[9],
                   processor=time.clock_gettime(clock))


def memory(node, field="Pss"):
    """MiB; what processes share, the program above all, counts to each in part."""
    for line in (node.proc / "smaps_rollup").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


def cluster(nodes, wan, count):
    everyone = [nodes.make(f"n{k}", host=wan.address(k), wrapper=wan.inside(k))
                for k in range(1, count + 1)]
    founder = everyone[0].start("--quickstart")
    if count > 1:
        token = founder.token("--uses", str(count - 1))
        for node in everyone[1:]:
            node.start("--join", token)
        for node in everyone[1:]:
            node.wait_joined(MESH_LIMIT)
    mesh(everyone, MESH_LIMIT)
    return everyone


def measure(folder, count, seconds):
    """Prints the row of a cluster of `count`; returns the private memory of a node."""
    # The emulator has two hosts at least.
    wan = Wan(folder, max(count, 2), ROUND_TRIP, namespace=f"hbench{os.getpid()}w")
    nodes = Nodes(folder)
    try:
        everyone = cluster(nodes, wan, count)
        time.sleep(SETTLE_SECONDS)
        before, began = [reading(node) for node in everyone], time.monotonic()
        time.sleep(seconds)
        after, passed = [reading(node) for node in everyone], time.monotonic() - began
        a_day = DAY / passed / 1e6
        sent = mean(b.sent - a.sent for a, b in zip(before, after)) * a_day
        packets = mean(b.packets - a.packets for a, b in zip(before, after)) / passed
        processor = mean(b.processor - a.processor for a, b in zip(before, after)) * 3600 / passed
        pss, rss = [memory(node) for node in everyone], [memory(node, "Rss") for node in everyone]
        private = mean(memory(node, "Private_Dirty") for node in everyone)
        pairs = f"{2 * sent / (count - 1):.1f}" if count > 1 else "-"
        print(f"| {count} | {mean(rss):.1f} | {mean(pss):.1f} ({max(pss):.1f}) | {private:.1f} | {sent:.1f} | {pairs} "
              f"| {packets:.1f} | {processor:.2f} |", flush=True)
        return private
    finally:
        nodes.end()
        wan.end()


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench idle")
    parser.add_argument("nodes", type=int, nargs="*", default=[1, 3, 30])
    parser.add_argument("--seconds", type=float, default=180)
    options = parser.parse_args()
    if not all(1 <= count <= NODES_MAX for count in options.nodes):
        parser.error(f"a cluster has 1 to {NODES_MAX} nodes here")
    if not is_available():
        sys.exit("scripts/bench idle: the namespaces need root and /dev/net/tun")
    print(f"Idle clusters, {options.seconds:.0f} s each after {SETTLE_SECONDS} s; load {os.getloadavg()[0]:.1f} at the "
          f"start, {time.strftime('%F %T')}. Means of the nodes; memory in MiB.\n")
    print("| nodes | resident | proportional (most) | private | a node sends, MB/day | a pair, MB/day "
          "| packets sent/s | processor, s/hour |\n|---|---|---|---|---|---|---|---|")
    found = {}
    for count in options.nodes:
        folder = state.folder("run", f"idle-{os.getpid()}-{count}")
        try:
            found[count] = measure(folder, count, options.seconds)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    few, many = min(found), max(found)
    if few < many:
        print(f"\nPrivate memory for each further peer, from {few} to {many} nodes: "
              f"{(found[many] - found[few]) / (many - few) * 1024:.0f} KiB.")


if __name__ == "__main__":
    main()
