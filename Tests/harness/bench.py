"""bench.py [--seconds N] [--quick | --table | --old-pc] [--million FOLDER | --no-million]

Measures the server beside what limits it and prints tables for docs/performance.md, "How it is measured".
Client and server share the machine, so figures compare within one run only.
"""

import argparse
import datetime
import mmap
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import old_pc, state  # noqa: E402
from harness.generators import (  # noqa: E402
    Load, Nginx, disk_rate, hash_rates, ours, s3bench, theirs)
from harness.server import Server, program  # noqa: E402
from harness.start_up import start_up  # noqa: E402

KIB, MIB = 1024, 1 << 20

# What is read: name, size, how many objects of it there are. Together they fit the page cache of a small machine.
SIZES = [("1 KiB", KIB, 1000), ("64 KiB", 64 * KIB, 500), ("1 MiB", MIB, 100),
         ("16 MiB", 16 * MIB, 8)]
LEVELS = (1, 8, 32)

# A run of puts ends early at 2 GiB: a fast disk must not be filled.
PUT_BYTES_MAX = 2 << 30
PUT_OBJECTS_MAX = 150_000

# More than a run of puts takes of the page cache, as the host may take some of it back at once.
TOUCHED_BYTES = 12 << 30

# Ten keys to a folder: a listing with a delimiter has full pages at 20,000 keys too.
PER_FOLDER = 10
FEW_KEYS, MANY_KEYS = 20_000, 1_000_000

# ext4 writes slowly for a while after many files were removed.
WAIT_AFTER_REMOVING = 40

# The rows of issue 4's table: what they need measured.
TABLE_ROWS = {
    ("PUT 1 KiB", 8), ("PUT 1 KiB", 32), ("GET 1 KiB", 32), ("HEAD 1 KiB", 32), ("PUT 16 MiB", 8),
    ("GET 16 MiB", 8), ("DELETE 1 KiB", 32), ("LIST", 8)}


class Bench:
    """One run: the server with what it has been asked for, and every figure by its name and concurrency."""

    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.figures = {}
        self.hashes = self.disk = None
        self.idle = self.peak = 0
        self.starts = {}
        self.put_counts = {}
        self.nginx = Nginx(folder / "nginx")
        self.few = Server(folder / "node")

    # What is measured

    def run(self):
        seconds = self.options.seconds
        self.hashes = hash_rates()
        touch_memory(TOUCHED_BYTES)
        self.disk = disk_rate(self.folder, seconds)
        print(f"Baselines: MD5 on one core {self.hashes['md5_mb_s']:,.0f} MB/s, BLAKE2b "
              f"{self.hashes['blake2b_mb_s']:,.0f} MB/s; the disk, 8 writers of durable files of 1 MiB, "
              f"{self.disk['mb_s']:,.0f} MB/s.\n")
        time.sleep(0 if self.options.quick else WAIT_AFTER_REMOVING)
        self.nginx.start()
        self.few.start()
        self.idle = memory(self.few)
        print("| what | at a time | grange-bench | CPU, server + client | s3bench | nginx |\n"
              "|---|---|---|---|---|---|")
        try:
            self.measure_objects()
            self.measure_list(self.few, FEW_KEYS if not self.options.quick else 2000)
            self.measure_mixed()
            self.measure_deletes()
            self.note_peak(self.few)
            self.starts["little"] = start_up(self.few)
        finally:
            self.few.stop()
            self.nginx.stop()
        if self.options.million:
            self.measure_million()
        self.print_rest()

    def wanted(self, name, concurrency):
        if self.options.table:
            return (name.split(",")[0], concurrency) in TABLE_ROWS
        return not self.options.quick or concurrency == 8

    def measure_objects(self):
        for name, size, objects in SIZES:
            load = Load("put", size, seconds=self.options.seconds)
            for c in LEVELS:
                if size >= MIB and self.wanted(f"PUT {name}", c):
                    touch_memory(TOUCHED_BYTES)
                count = min(PUT_OBJECTS_MAX, PUT_BYTES_MAX // size)
                done = self.figure(f"PUT {name}", replace(
                    load, concurrency=c, prefix=put_prefix(size, c), objects=count))
                if done:
                    self.put_counts[size, c] = done["ops"]
            load = replace(load, prefix=f"read-{size}/", objects=objects)
            self.fill(self.few, load)
            self.fill(self.nginx, load)
            for c in LEVELS:
                for operation in ("get", "head"):
                    self.figure(f"{operation.upper()} {name}", replace(
                        load, operation=operation, concurrency=c), with_nginx=True)

    def measure_deletes(self):
        """What was put, at last: blocks are removed some ten minutes later, which no other figure may meet."""
        for name, size, _ in SIZES:
            for c in LEVELS:
                if count := self.put_counts.get((size, c)):
                    self.figure(f"DELETE {name}", Load(
                        "delete", size, c, self.options.seconds, count, put_prefix(size, c)))

    def measure_mixed(self):
        load = Load("mixed", KIB, seconds=self.options.seconds, prefix=f"read-{KIB}/", page=100)
        for c in LEVELS:
            # A prefix of its own would need objects of its own; new keys begin behind those that are there.
            self.figure("mixed 1 KiB", replace(load, concurrency=c), with_theirs=False)

    def measure_list(self, server, keys):
        load = Load("list", objects=keys, seconds=self.options.seconds, prefix="list/",
                    per_folder=PER_FOLDER)
        if server is self.few:
            self.fill(server, load)
        for what, delimiter in (("", ""), (", by /", "/")):
            for c in LEVELS:
                self.figure(f"LIST, {keys:,} keys{what}", replace(
                    load, concurrency=c, delimiter=delimiter), server=server)

    def measure_million(self):
        server = many_keys(self.options.million)
        server.start()
        try:
            self.measure_list(server, MANY_KEYS)
            self.note_peak(server)
            self.starts["a million objects"] = start_up(server)
        finally:
            server.stop()

    def fill(self, server, load):
        ours(server, replace(load, operation="fill", concurrency=8))

    def figure(self, name, load, server=None, with_nginx=False, with_theirs=True):
        """Measures and prints one row; None when it is not asked for."""
        if not self.wanted(name, load.concurrency):
            return None
        server = server or self.few
        mine = ours(server, load)
        self.figures[name, load.concurrency] = mine
        other = beside = "-"
        if with_theirs and s3bench() and not self.options.table:
            other = shown(theirs(server, load))
        if with_nginx:
            result = ours(self.nginx, load)
            self.figures[f"nginx {name}", load.concurrency] = result
            beside = shown(result)
        print(f"| {name} | {load.concurrency} | {shown(mine)}, p99 {mine['p99_ms']:.1f} ms "
              f"| {microseconds(mine)} | {other} | {beside} |", flush=True)
        return mine

    def note_peak(self, server):
        self.peak = max(self.peak, memory(server, "VmHWM"))

    # What it comes to

    def print_rest(self):
        print(f"\nMemory: {self.idle:.1f} MB before the first request, {self.peak:.1f} MB at the peak.")
        for name, milliseconds in self.starts.items():
            print(f"Start-up with {name}: {milliseconds:.0f} ms from exec to the first answer "
                  "(median of 5).")
        print(f"Program: {program().stat().st_size / 1e6:.1f} MB.")
        self.print_parts_of_a_put()
        print("\n| target | must | measured | |\n|---|---|---|---|")
        for name, must, measured, met in self.targets():
            print(f"| {name} | {must} | {measured} | {'met' if met else '**not met**'} |")

    def print_parts_of_a_put(self):
        """What two cores could do if a PUT of 16 MiB were only what cannot be left out."""
        if not (found := self.figures.get(("PUT 16 MiB", 8))):
            return
        size = 16 * MIB
        parts = {
            "MD5": size / 1e3 / self.hashes["md5_mb_s"],
            "BLAKE2b": size / 1e3 / self.hashes["blake2b_mb_s"],
            "16 durable files": 16 * self.disk["cpu_us_per_file"] / 1e3,
            "the client": found["client_cpu_us_per_op"] / 1e3}
        total = sum(parts.values())
        print("A PUT of 16 MiB, each part by itself, in CPU time: "
              + ", ".join(f"{name} {milliseconds:.1f} ms" for name, milliseconds in parts.items())
              + f". Without anything else, {os.cpu_count()} cores could do "
              f"{os.cpu_count() * size / 1e3 / total:,.0f} MB/s.")

    def targets(self):
        """The rows of issue 4's table that were measured: name, what it must be, what it is, whether it is met."""
        yield from self.rate("PUT 1 KiB", 8, 5_000)
        yield from self.rate("PUT 1 KiB", 32, 10_000)
        yield from self.rate("GET 1 KiB", 32, 30_000)
        if found := self.figures.get(("nginx GET 1 KiB", 32)):
            mine, theirs = self.figures["GET 1 KiB", 32]["ops_s"], found["ops_s"]
            yield "GET 1 KiB, c=32", "half of nginx", f"{mine / theirs:.2f} of it", mine * 2 >= theirs
        yield from self.rate("HEAD 1 KiB", 32, 35_000)
        limit = 0.8 * min(self.hashes["md5_mb_s"], self.disk["mb_s"])
        yield from self.throughput("PUT 16 MiB", 8, limit)
        yield from self.throughput("GET 16 MiB", 8, 2_500)
        few = f"LIST, {FEW_KEYS:,} keys"
        yield from self.rate(few, 8, 400)
        for what in ("", ", by /"):
            one = self.figures.get((few + what, 8))
            two = self.figures.get((f"LIST, {MANY_KEYS:,} keys{what}", 8))
            if one and two:
                share = one["ops_s"] / two["ops_s"]
                yield (f"LIST, {MANY_KEYS:,} keys{what}, c=8", f"1.5 times slower than {FEW_KEYS:,}",
                       f"{share:.2f} times", share <= 1.5)
        yield from self.rate("DELETE 1 KiB", 32, 10_000)
        yield "memory idle", "20 MB", f"{self.idle:.1f} MB", self.idle <= 20
        yield "memory at the peak", "128 MB", f"{self.peak:.1f} MB", self.peak <= 128
        for name, milliseconds in self.starts.items():
            yield f"start-up, {name}", "50 ms", f"{milliseconds:.0f} ms", milliseconds <= 50

    def rate(self, name, c, must):
        if found := self.figures.get((name, c)):
            rate = found["ops_s"]
            yield f"{name}, c={c}", f"{must:,}/s", f"{rate:,.0f}/s", rate >= must

    def throughput(self, name, c, must):
        if found := self.figures.get((name, c)):
            rate = found["mb_s"]
            yield f"{name}, c={c}", f"{must:,.0f} MB/s", f"{rate:,.0f} MB/s", rate >= must


def put_prefix(size, concurrency):
    return f"put-{size}-{concurrency}/"


def many_keys(folder):
    """A server whose folder holds a million keys, filled at first use and kept for the next run."""
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(folder)
    done = folder / "filled"
    if not done.exists():
        print(f"(filling {folder} with {MANY_KEYS:,} keys)", file=sys.stderr)
        shutil.rmtree(folder)
        server = Server(folder)
        server.start()
        try:
            result = ours(server, Load(
                "fill", objects=MANY_KEYS, concurrency=32, prefix="list/", per_folder=PER_FOLDER))
        finally:
            server.stop()
        done.write_text(f"{result['ops_s']:.0f}/s\n")
    return server


def memory(server, field="VmRSS"):
    with open(f"/proc/{server.process.pid}/status") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def shown(result):
    if result["size"] >= MIB and result["op"] in ("put", "get"):
        return f"{result['mb_s']:,.0f} MB/s"
    return f"{result['ops_s']:,.0f}/s"


def microseconds(result):
    server = result["server_cpu_us_per_op"]
    return f"{server or 0:,.0f} + {result['client_cpu_us_per_op']:,.0f} us"


def processor():
    with open("/proc/cpuinfo") as info:
        for line in info:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def header(options):
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True,
        cwd=state.ROOT).stdout.strip()
    print(f"{datetime.date.today()}, commit {commit}, {os.cpu_count()} cores, {processor()}, "
          f"Linux {platform.release()}, {options.seconds} s a figure, load {os.getloadavg()[0]:.1f} "
          "at the start\n")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=5)
    options.add_argument("--quick", action="store_true", help="eight at a time, one second a figure")
    options.add_argument("--table", action="store_true", help="only what issue 4's table needs")
    options.add_argument("--old-pc", action="store_true", help="a simulated old PC instead")
    options.add_argument("--million", type=Path, default=state.FOLDER / "bench-million",
                         help="where the folder with a million keys is kept")
    options.add_argument("--no-million", dest="million", action="store_const", const=None)
    options = options.parse_args()
    if options.quick:
        options.seconds, options.million = 1, None
    header(options)
    folder = state.folder("run", f"bench-{os.getpid()}")
    wait_for_the_disk()
    try:
        if options.old_pc:
            old_pc.run(folder, options.seconds)
        else:
            Bench(options, folder).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        removed_file().touch()


def touch_memory(size):
    """Writes to so much of the free memory once.

    A virtual machine's memory may cost who uses a page first, or after a while again, a fault of the host's.
    """
    with open("/proc/meminfo") as info:
        free = next(int(line.split()[1]) * 1024 for line in info if line.startswith("MemFree:"))
    size = min(size, free // 10 * 9)
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        for page in range(0, size, mmap.PAGESIZE):
            memory[page] = 1


def removed_file():
    return state.folder() / "bench-removed"


def wait_for_the_disk():
    """Until a while after the last run removed its files."""
    if removed_file().exists():
        time.sleep(max(0, removed_file().stat().st_mtime + WAIT_AFTER_REMOVING - time.time()))


if __name__ == "__main__":
    main()
