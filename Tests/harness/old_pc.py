"""The simulated old PC: one core without SHA instructions, 1 GB of address space, a disk that syncs in 10 ms.

The client stays on the other core. `strace` delays each fsync and fdatasync; with --seccomp-bpf no other call stops.
A limit on the address space is stricter than one on memory (threads' stacks and mapped files count whole), and
needs no privilege and no cgroup; the page cache is not limited by it.
"""

import shutil
import subprocess
import time
from dataclasses import replace

from .generators import Load, hash_rates, ours
from .server import Server

MIB = 1 << 20
MEMORY_BYTES = 1 << 30
SYNC_MICROSECONDS = 10_000

# CPUID leaf 7, EBX bit 29: the SHA extensions. libcrypto reads the mask from the second word.
WITHOUT_SHA = {"OPENSSL_ia32cap": ":~0x20000000"}

# name, load
FIGURES = [
    ("PUT 1 KiB", Load("put", 1024, prefix="put-1K/", objects=50_000), (1, 8, 32)),
    ("GET 1 KiB", Load("get", 1024, prefix="read-1K/"), (1, 8, 32)),
    ("HEAD 1 KiB", Load("head", 1024, prefix="read-1K/"), (32,)),
    ("PUT 1 MiB", Load("put", MIB, prefix="put-1M/"), (8, 32)),
    ("GET 1 MiB", Load("get", MIB, prefix="read-1M/", objects=100), (8, 32)),
    ("PUT 16 MiB", Load("put", 16 * MIB, prefix="put-16M/", objects=64), (8,)),
    ("GET 16 MiB", Load("get", 16 * MIB, prefix="read-16M/", objects=24), (8, 32)),
    ("LIST, 1000 keys a page", Load("list", objects=1000, prefix="read-1K/", page=1000), (8,)),
    ("mixed 1 KiB", Load("mixed", 1024, prefix="read-1K/", page=100), (8, 32)),
    ("DELETE 1 KiB", Load("delete", 1024, prefix="gone-1K/", objects=2000), (32,)),
]


def wrapper(tools):
    """The command that the server is started by."""
    trace = [
        "strace", "-f", "--seccomp-bpf", "-qqq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync",
        "-e", f"inject=fsync,fdatasync:delay_exit={SYNC_MICROSECONDS}"]
    return [tools["taskset"], "-c", "0", *trace, tools["prlimit"], f"--as={MEMORY_BYTES}"]


def run(folder, seconds):
    tools = {name: shutil.which(name) for name in ("taskset", "strace", "prlimit")}
    if missing := [name for name, path in tools.items() if not path]:
        raise SystemExit(f"missing: {' '.join(missing)} (apt-get install strace util-linux)")
    server = Server(folder / "old-pc", environment=WITHOUT_SHA)
    began = time.monotonic()
    server.start(wrapper=wrapper(tools))
    print(f"One core, no SHA instructions (MD5 on it: {hash_rates()['md5_mb_s']:,.0f} MB/s), "
          f"{MEMORY_BYTES >> 20} MiB of address space, fsync and fdatasync {SYNC_MICROSECONDS // 1000} ms "
          f"longer. Started in {(time.monotonic() - began) * 1e3:.0f} ms.\n")
    try:
        store_and_read_back(server)
        figures(server, seconds)
        print(f"\nMemory at the peak: {peak(server):.1f} MB.")
    finally:
        stop(server)


def store_and_read_back(server):
    """384 MiB in 24 objects, 100 of 1 MiB, 1,000 and 2,000 small ones, 32 clients; every byte compared."""
    for size, prefix, objects in (
            (16 * MIB, "read-16M/", 24), (MIB, "read-1M/", 100), (1024, "read-1K/", 1000),
            (1024, "gone-1K/", 2000)):
        load = Load("fill", size, 32, prefix=prefix, objects=objects)
        stored = ours(server, load)
        read = ours(server, replace(load, operation="verify"))
        print(f"{objects} objects of {size:,} B by 32 clients: stored at {stored['mb_s']:,.1f} MB/s, "
              f"all read back and compared at {read['mb_s']:,.1f} MB/s.")


def figures(server, seconds):
    print("\n| what | at a time | grange-bench |\n|---|---|---|")
    for name, load, levels in FIGURES:
        for c in levels:
            prefix = f"{c}-{load.prefix}" if load.operation == "put" else load.prefix
            result = ours(server, replace(load, concurrency=c, seconds=seconds, prefix=prefix))
            print(f"| {name} | {c} | {result['ops_s']:,.0f}/s, {result['mb_s']:,.1f} MB/s, "
                  f"p99 {result['p99_ms']:.1f} ms |", flush=True)


def child(server):
    """The server itself, below strace (taskset and prlimit become what they start)."""
    pid = server.process.pid
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return int(children.read().split()[0])


def peak(server):
    with open(f"/proc/{child(server)}/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def stop(server):
    """SIGTERM to the server itself: strace lets it end and ends with it."""
    subprocess.run(["kill", "-TERM", str(child(server))], check=False)
    server.process.wait(60)
    server.stop()
