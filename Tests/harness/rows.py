"""scripts/bench rows [latency] [rate] [absence] [--requests N] [--seconds S] [--rows N]

Objects of 1 KiB on three nodes that store together, each beside a node alone in the same run:

latency   PUT, GET, HEAD, DELETE, LIST and ListBuckets, one at a time, 100 +/- 20 ms from each other; the client sits
          beside node 1, and beside a gateway
rate      operations a second on loopback, 8 and 32 at a time, against one node and spread over all; processor time of
          all servers; memory
absence   20 ms from each other: what a node that was away for some rows costs to catch up, one that missed nothing, and
          a quiet minute

Without a name all of it. Needs root.
"""

import argparse
import contextlib
import os
import shutil
import statistics
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from Cluster.nodes import Nodes, eventually  # noqa: E402
from Cluster.storing import EXPERIMENTAL, Tenant, assigned, joined, serves, wait_healthy  # noqa: E402
from Cluster.wan import Wan, is_available  # noqa: E402
from harness import state  # noqa: E402
from harness.generators import Load, ours  # noqa: E402
from harness.server import BUCKET, Server  # noqa: E402

PARTS = ("latency", "rate", "absence")
NAMES = ("one", "two", "three")
BODY = os.urandom(1024)
# Keys of a page.
LISTED = (10, 100, 1000)
QUIET_SECONDS = 60
# Status exchanges, second connections and allocators come to rest.
SETTLE_SECONDS = 20


@contextlib.contextmanager
def cluster(wan=None, gateway=False):
    """Three nodes that store and perhaps a gateway, with a key and a bucket; on `wan`, if there is one."""
    folder = state.folder("run", f"rows-{os.getpid()}-{time.monotonic_ns()}")
    nodes, names = Nodes(folder), [*NAMES, *["gateway"] * gateway]
    places = {
        name: {"host": wan.address(k), "s3_host": wan.address(k), "wrapper": wan.inside(k)} if wan else {}
        for k, name in enumerate(names, start=1)}
    try:
        everyone = assigned(joined(nodes, names, **places), len(NAMES))
        tenant = Tenant(everyone[0], BUCKET)
        for node in everyone:
            node.host, node.credentials = node.s3_host, tenant.credentials
            node.environment = EXPERIMENTAL
        wait_healthy(everyone)
        with wan.within(1) if wan else contextlib.nullcontext():
            eventually(lambda: all(node.client().request("HEAD", BUCKET).status == 200 for node in everyone), 10)
        yield everyone
    finally:
        nodes.end()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def alone():
    folder = state.folder("run", f"rows-{os.getpid()}-{time.monotonic_ns()}")
    server = Server(folder).start()
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def network(count, round_trip, jitter=0):
    folder = state.folder("run", f"wan-{os.getpid()}-{time.monotonic_ns()}")
    wan = Wan(folder, count, f"{round_trip}", namespace=f"hrows{os.getpid()}w")
    try:
        if jitter:
            wan("rtt", "*", "*", round_trip, jitter)
        yield wan
    finally:
        wan.end()
        shutil.rmtree(folder, ignore_errors=True)


# Latency

def latencies(node, requests, prefix):
    """The milliseconds of each operation, one at a time over one connection."""
    client, found = node.client(), {}
    keys = [f"{prefix}/{number:04}" for number in range(requests)]
    ours(node, Load("fill", concurrency=32, prefix="listed/", objects=LISTED[-1]))
    steps = {
        "PUT": [("PUT", key, (), BODY) for key in keys],
        "GET": [("GET", key, (), b"") for key in keys],
        "HEAD": [("HEAD", key, (), b"") for key in keys],
        **{f"LIST of {count:,} keys": [("GET", None, page(count), b"")] * requests for count in LISTED},
        "DELETE": [("DELETE", key, (), b"") for key in keys],
    }
    for name, asked in steps.items():
        found[name] = [timed(client, method, BUCKET, key, query, body) for method, key, query, body in asked]
    found["ListBuckets"] = [timed(client, "GET", "", None, (), b"") for _ in range(requests)]
    client.close()
    return found


def page(count):
    return [("list-type", "2"), ("max-keys", str(count)), ("prefix", "listed/")]


def timed(client, method, bucket, key, query, body):
    began = time.perf_counter()
    answer = client.request(method, bucket, key, query=query, body=body)
    passed = (time.perf_counter() - began) * 1000
    if answer.status not in (200, 204):
        sys.exit(f"{method} {key}: {answer.status} {answer.body[:300]!r}")
    return passed


def cell(milliseconds):
    ordered = sorted(milliseconds)
    p99 = ordered[min(len(ordered) - 1, round(len(ordered) * 0.99))]
    return f"{statistics.mean(ordered):.1f}, {statistics.median(ordered):.1f}, {p99:.1f}"


def print_latency(options):
    print(f"\n{options.requests} requests one at a time, 100 +/- 20 ms round trip; milliseconds: mean, p50, p99\n")
    print("| operation | at node 1 | at the gateway | a node alone, beside the client |\n|---|---|---|---|")
    with network(4, 100, 20) as wan, cluster(wan, gateway=True) as everyone, alone() as single:
        one, *_, gateway = everyone
        with wan.within(1):
            near = latencies(one, options.requests, "one")
        with wan.within(4):
            far = latencies(gateway, options.requests, "gateway")
        none = latencies(single, options.requests, "alone")
        for name in near:
            print(f"| {name} | {cell(near[name])} | {cell(far[name])} | {cell(none[name])} |", flush=True)
        trips = [n["roundTripMilliseconds"] for n in one.status()["nodes"][1:3]]
        print(f"\nRound trips as node 1 shows them: {trips} ms.")


# Operations a second

def processor(nodes):
    """Seconds of processor time that the nodes took so far."""
    # The clock of a process, by its ID (clock_getcpuclockid).
    return sum(time.clock_gettime((~node.process.pid << 3) | 2) for node in nodes)


def spread(nodes, everyone, operation, count, seconds, prefix, objects):
    """`count` at a time over `nodes`: operations a second, milliseconds of the slowest node's clients, and microseconds
    of processor that `everyone` took for each."""
    shares = [count // len(nodes) + (k < count % len(nodes)) for k in range(len(nodes))]
    results, before = [], processor(everyone)

    def work(node, share, number):
        # Puts go to keys of their own; gets choose from the same.
        own = f"{prefix}{number}/" if operation == "put" else prefix
        results.append(ours(node, Load(operation, concurrency=share, seconds=seconds, prefix=own, objects=objects)))
    threads = [threading.Thread(target=work, args=(node, share, number))
               for number, (node, share) in enumerate(zip(nodes, shares))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = sum(result["ops"] for result in results)
    cost = (processor(everyone) - before) / done * 1e6
    return (f"{sum(result['ops_s'] for result in results):,.0f}/s, p50 {max(r['p50_ms'] for r in results):.1f}, "
            f"p99 {max(r['p99_ms'] for r in results):.1f} ms, {cost:,.0f} us")


def resident(node, field="VmRSS"):
    for line in (node.proc / "status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


def megabytes(nodes, field="VmRSS"):
    return ", ".join(f"{resident(node, field):.0f}" for node in nodes)


def print_rate(options):
    print(f"\nOn loopback, {options.seconds} s each; processor time is that of all servers for an operation\n")
    print("| what | at a time | a node alone | one of three | spread over three |\n|---|---|---|---|---|")
    objects = 1000
    with alone() as single, cluster() as three:
        time.sleep(5)
        idle = megabytes([single]), megabytes(three)
        for node in (single, three[0]):
            ours(node, Load("fill", concurrency=8, prefix="read/", objects=objects))
        for operation in ("put", "get"):
            for count in (8, 32):
                cells = []
                for number, (everyone, nodes) in enumerate((([single], [single]), (three, three[:1]), (three, three))):
                    prefix = "read/" if operation == "get" else f"put/{count}/{number}/"
                    size = objects if operation == "get" else 1_000_000
                    cells.append(spread(nodes, everyone, operation, count, options.seconds, prefix, size))
                print(f"| {operation.upper()} 1 KiB | {count} | {' | '.join(cells)} |", flush=True)
        print(f"\nResident memory, MiB: alone {idle[0]} idle, {megabytes([single], 'VmHWM')} at the peak; "
              f"the three {idle[1]} idle, {megabytes(three, 'VmHWM')} at the peak, {megabytes(three)} at the end.")


# Absence and quiet

def traffic(wan, host):
    """Bytes that the interface of a host has received and sent; it stays when a node ends."""
    with wan.within(host):
        lines = Path("/proc/thread-self/net/dev").read_text().splitlines()
    line = next(line for line in lines if line.strip().startswith("wan0:"))
    fields = [int(word) for word in line.partition(":")[2].split()]
    return fields[0], fields[8]


def wakeups(node):
    """How often a thread of the node has waited for something."""
    total = 0
    for task in (node.proc / "task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches:"):
                total += int(line.split()[1])
    return total


def come_back(wan, host, everyone):
    """Starts a node; the seconds until it serves and until all call it healthy, and the bytes of its interface."""
    node = everyone[host - 1]
    before, began = traffic(wan, host), time.monotonic()
    node.start()
    eventually(lambda: serves(node), 60)
    served = time.monotonic() - began
    wait_healthy(everyone, 300)
    passed = time.monotonic() - began
    received, sent = (b - a for a, b in zip(before, traffic(wan, host)))
    return (f"serves after {served:.1f} s, healthy after {passed:.1f} s; {received / 1e6:.2f} MB received, "
            f"{sent / 1e6:.2f} MB sent")


def print_absence(options):
    with network(3, 20) as wan, cluster(wan) as everyone:
        one, two, three = everyone
        time.sleep(SETTLE_SECONDS)
        print(f"\n20 ms round trip, three nodes with nothing stored: {quiet(wan, everyone)}.")
        two.kill()
        time.sleep(SETTLE_SECONDS)
        with wan.within(1):
            filled = ours(one, Load("fill", concurrency=32, prefix="missed/", objects=options.rows))
        print(f"{options.rows:,} objects of 1 KiB were written in {filled['secs']:.1f} s while one node was away.")
        time.sleep(5)
        print(f"It comes back: {come_back(wan, 2, everyone)}.", flush=True)
        # The others read that it has now what they have.
        time.sleep(SETTLE_SECONDS)
        two.kill()
        time.sleep(SETTLE_SECONDS)
        print(f"Away for {SETTLE_SECONDS} s in which nothing was written: {come_back(wan, 2, everyone)}.", flush=True)
        time.sleep(SETTLE_SECONDS)
        print(f"With {options.rows:,} objects stored: {quiet(wan, everyone)}.")
        print(f"Resident memory, MiB: {megabytes(everyone)}.")


def quiet(wan, everyone):
    """What a minute costs in which nobody asks anything."""
    before = [(*traffic(wan, k), wakeups(node)) for k, node in enumerate(everyone, start=1)]
    used, began = processor(everyone), time.monotonic()
    time.sleep(QUIET_SECONDS)
    after = [(*traffic(wan, k), wakeups(node)) for k, node in enumerate(everyone, start=1)]
    passed = time.monotonic() - began
    received, sent, woken = (
        statistics.mean(b[k] - a[k] for a, b in zip(before, after)) * 60 / passed for k in range(3))
    used = (processor(everyone) - used) / len(everyone) * 60 / passed
    return (f"an idle minute costs a node {received / 1e3:.1f} kB received, {sent / 1e3:.1f} kB sent, {woken:.0f} wakeups, "
            f"{used * 1000:.0f} ms of processor")


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench rows", usage=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    parser.add_argument("--requests", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rows", type=int, default=10_000)
    options = parser.parse_args()
    if not is_available():
        sys.exit("scripts/bench rows: the namespaces need root and /dev/net/tun")
    print(f"{time.strftime('%F %T')}, load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores", flush=True)
    for part in options.parts or PARTS:
        globals()[f"print_{part}"](options)
    print(f"\nLoad at the end: {os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()
