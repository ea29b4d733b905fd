"""bench.py [--seconds N] [--only NAME]: measures the server and prints tables for docs/performance.md.

Two programs side by side: grange-bench, ours, and s3bench, which shares no code with it. Server and client
share the machine, so figures compare within one run only.
"""

import argparse
import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import state  # noqa: E402
from harness.server import ACCESS_KEY, BUCKET, REGION, SECRET_KEY, Server, program  # noqa: E402

KIB, MIB = 1024, 1 << 20

# Name, operation, size, how many at a time, keys to choose from.
MATRIX = [
    ("PUT 1 KiB", "put", KIB, (1, 8, 32), 20_000),
    ("GET 1 KiB", "get", KIB, (1, 8, 32), 1_000),
    ("HEAD 1 KiB", "head", KIB, (1, 8, 32), 1_000),
    ("PUT 1 MiB", "put", MIB, (1, 8), 200),
    ("GET 1 MiB", "get", MIB, (1, 8), 20),
    ("PUT 16 MiB", "put", 16 * MIB, (1, 8), 24),
    ("GET 16 MiB", "get", 16 * MIB, (1, 8), 8),
    ("LIST 1000 keys", "list", 1000, (1, 8), 1),
]


def ours(server, name, operation, size, concurrency, objects, seconds):
    words = [
        program().parent / "grange-bench", operation, "--json",
        "--endpoint", f"127.0.0.1:{server.port}", "--region", REGION, "--bucket", BUCKET,
        "--access", ACCESS_KEY, "--size", str(size), "--concurrency", str(concurrency),
        "--seconds", str(seconds), "--objects", str(objects),
        "--prefix", prefix("ours", operation, size)]
    return run(words, {"GRANGE_BENCH_SECRET": SECRET_KEY})


def theirs(server, name, operation, size, concurrency, objects, seconds):
    words = [
        s3bench(), "-json", "-op", operation, "-endpoint", server.endpoint, "-region", REGION,
        "-bucket", BUCKET, "-access", ACCESS_KEY, "-secret", SECRET_KEY, "-c", str(concurrency),
        "-duration", f"{seconds}s", "-objects", str(objects)]
    if operation == "list":
        words += ["-maxkeys", str(size)]
    else:
        words += ["-size", str(size), "-prefix", prefix("theirs", operation, size)]
    return run(words, {})


def prefix(who, operation, size):
    return f"{who}-{size}/"


def run(words, environment):
    done = subprocess.run(
        list(map(str, words)), capture_output=True, text=True, env={**os.environ, **environment})
    lines = done.stdout.strip().splitlines()
    if not lines or not lines[-1].startswith("{"):
        raise SystemExit(f"{words[0]}: {done.stdout}{done.stderr}")
    result = json.loads(lines[-1])
    if result["errors"]:
        print(f"errors: {result['errors']}: {result.get('first_error')}", file=sys.stderr)
    return result


def s3bench():
    """The Go program, built once; None without a Go compiler."""
    folder = state.folder("s3bench")
    binary = folder / "s3bench"
    if not binary.exists():
        if not shutil.which("go"):
            return None
        subprocess.run(
            ["go", "build", "-o", binary, "."], check=True,
            cwd=state.ROOT / "Tests" / "Tools" / "s3bench",
            env={**os.environ, "GOCACHE": str(folder / "cache"), "GOFLAGS": "-mod=mod"})
    return binary


def memory(server, field="VmRSS"):
    with open(f"/proc/{server.process.pid}/status") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def start_up(server):
    """Median milliseconds from exec until S3 answers, on a database that has been used."""
    times = []
    for _ in range(5):
        server.stop()
        began = time.monotonic()
        server.start()
        times.append((time.monotonic() - began) * 1e3)
    return sorted(times)[2]


def shown(result):
    text = f"{result['ops_s']:,.0f}/s"
    if result["size"] >= MIB and result["op"] in ("put", "get"):
        text = f"{result['mb_s']:,.0f} MB/s ({result['ops_s']:,.1f}/s)"
    return f"{text}, p99 {result['p99_ms']:.1f} ms"


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=int, default=5)
    options.add_argument("--only", help="part of a name in the table")
    options = options.parse_args()
    folder = state.folder("run", f"bench-{os.getpid()}")
    server = Server(folder / "node")
    server.start()
    try:
        report(server, options)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def report(server, options):
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True,
        cwd=state.ROOT).stdout.strip()
    print(f"{datetime.date.today()}, commit {commit}, {os.cpu_count()} cores, "
          f"{processor()}, Linux {platform.release()}, {options.seconds} s a figure\n")
    idle = memory(server)
    print("| what | at a time | grange-bench | s3bench |\n|---|---|---|---|")
    for name, operation, size, levels, objects in MATRIX:
        if options.only and options.only.lower() not in name.lower():
            continue
        for concurrency in levels:
            arguments = (server, name, operation, size, concurrency, objects, options.seconds)
            first = shown(ours(*arguments))
            second = shown(theirs(*arguments)) if s3bench() else "no Go compiler"
            print(f"| {name} | {concurrency} | {first} | {second} |", flush=True)
    peak = memory(server, "VmHWM")
    print(f"\nMemory: {idle:.1f} MB before the first request, {peak:.1f} MB at the peak, "
          f"{memory(server):.1f} MB after it.")
    print(f"Start-up: {start_up(server):.0f} ms until the first answer (median of 5).")
    print(f"Program: {program().stat().st_size / 1e6:.1f} MB.")


def processor():
    with open("/proc/cpuinfo") as info:
        for line in info:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    main()
