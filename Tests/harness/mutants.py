"""Plants one bug after the other and demands that a test goes red: see scripts/mutants.

A mutant is a patch with a header of its own:

    The bug, and what it would cost. Any number of lines.
    # tests: swift FILTER
    # tests: pytest FILE [ARGUMENTS...]
    diff --git a/Sources/... b/Sources/...

Each `# tests:` line is a command that must be green without the bug; with it, one of them must be red.
Lines of context are few and may drift (`git apply -C1`), so that unrelated changes do not break a
patch; one that no longer applies or compiles is a failure, as it tests nothing any more.
"""

import fcntl
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATCHES = ROOT / "Tests" / "Mutants"
PLACE = ROOT / ".build" / "mutants"
TREE = PLACE / "tree"
LOGS = PLACE / "logs"

# The first build compiles everything; a loaded machine takes its time.
BUILD_LIMIT = 2400
# Tests named by a mutant take seconds. What a bug stops altogether has been noticed, too.
TEST_LIMIT = 240

# Debug: only what a patch changes is compiled again. A release build optimises across modules, and
# would compile everything above. Neither an index nor a debugger is of use here.
BUILD = ["swift", "build", "--build-tests", "--disable-index-store", "-debug-info-format", "none"]
# The tests as `swift test` would start them, after some seconds of planning.
TEST = [TREE / ".build" / "debug" / "grangePackageTests.xctest", "--testing-library", "swift-testing"]

# Where tests begin: with this file SwiftPM looks for none of XCTest's, for which it would need the index.
ENTRY = TREE / "Tests" / "XCTMain.swift"
ENTRY_TEXT = """\
import Testing
@main struct Runner { static func main() async { await Testing.__swiftPMEntryPoint() as Never } }
"""


class Broken(Exception):
    """A mutant that proves nothing, whatever its tests would say."""


class Mutant:
    def __init__(self, path):
        self.name = path.stem
        self.path = path
        self.text = path.read_text()
        header = self.text.split("\ndiff --git ", 1)[0].splitlines()
        self.tests = [line.removeprefix("# tests:").strip() for line in header
                      if line.startswith("# tests:")]
        self.summary = " ".join(line for line in header if not line.startswith("#"))
        self.files = re.findall(r"^\+\+\+ b/(\S+)", self.text, re.MULTILINE)
        if not self.tests:
            sys.exit(f"{path}: names no tests")


def copy_checkout():
    """Makes TREE the same as the checkout, its uncommitted files included.

    What has not changed is not written, so that it need not be compiled again.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    names = {name for name in listed if name and (ROOT / name).is_file()}
    for name in sorted(names):
        restore(name)
    for folder, folders, files in os.walk(TREE):
        folders[:] = [name for name in folders if name not in (".build", "__pycache__")]
        for path in (Path(folder) / name for name in files):
            if path != ENTRY and str(path.relative_to(TREE)) not in names:
                path.unlink()
    if not ENTRY.exists():
        ENTRY.write_text(ENTRY_TEXT)


def restore(name):
    source, copy = ROOT / name, TREE / name
    data = source.read_bytes()
    if copy.is_file() and copy.read_bytes() == data:
        return
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(data)
    copy.chmod(source.stat().st_mode)


def run(words, log, limit, environment=None):
    """The exit code; None if it was stopped at its limit."""
    with open(log, "ab") as output:
        output.write(f"$ {shlex.join(map(str, words))}\n".encode())
        output.flush()
        # A group of its own, so that what it started ends with it.
        process = subprocess.Popen(
            words, cwd=TREE, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})}, start_new_session=True)
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, 9)
                process.wait()


def build(log):
    return run(BUILD, log, BUILD_LIMIT) == 0


def is_green(test, log):
    """Whether a `# tests:` command passes; Broken if it runs no test at all."""
    kind, *arguments = shlex.split(test)
    began = log.stat().st_size if log.exists() else 0
    if kind == "swift":
        code = run([*TEST, *(word for filter in arguments for word in ("--filter", filter))],
                   log, TEST_LIMIT)
        ran = r"Test run with [1-9]\d* test"
    elif kind == "pytest":
        code = pytest(arguments, log)
        ran = r"\d+ (passed|failed)|\d+ error"
    else:
        sys.exit(f"no such kind of test: {test}")
    said = log.read_bytes()[began:].decode(errors="replace")
    if code == 0 and (not re.search(ran, said) or re.search(r"\d+ skipped", said)):
        raise Broken(f"ran no test, or not all: {test}")
    return code == 0


def pytest(arguments, log):
    environment = {
        "GRANGE_PROGRAM": str(TREE / ".build" / "debug" / "grange"),
        "GRANGE_TEST_STATE": str(PLACE / "test-state")}
    clean = [sys.executable, "Tests/harness/state.py", "clean"]
    run(clean, log, 60, environment)
    code = run([sys.executable, "-m", "pytest", "-c", "Tests/pytest.ini", "--rootdir", "Tests", "-x",
                *arguments], log, TEST_LIMIT, environment)
    run(clean, log, 60, environment)
    return code


def plant(mutant, log, *options):
    """Applies the patch to the copy, which is no checkout of git's own."""
    environment = {"GIT_CEILING_DIRECTORIES": str(PLACE)}
    words = ["git", "apply", "--recount", "-C1", "--whitespace=nowarn", *options, mutant.path]
    if run(words, log, 60, environment) != 0:
        raise Broken("does not apply")


def try_out(mutant, green):
    """What became of the mutant: killed (by which test), survived."""
    log = LOGS / f"{mutant.name}.log"
    for test in mutant.tests:
        if not green[test]:
            raise Broken(f"red without the bug: {test}")
    # Not from the checkout: whoever works there meanwhile must not get into this run.
    originals = {name: (TREE / name).read_bytes() for name in mutant.files if (TREE / name).exists()}
    try:
        plant(mutant, log)
        if not build(log):
            raise Broken("does not compile")
        for test in mutant.tests:
            if not is_green(test, log):
                return "killed", test
        return "survived", "; ".join(mutant.tests)
    finally:
        for name, data in originals.items():
            if (TREE / name).read_bytes() != data:
                (TREE / name).write_bytes(data)


def unpatched(mutants):
    """Which tests are green without a bug."""
    log = LOGS / "unpatched.log"
    if not build(log):
        sys.exit(f"the checkout does not compile: {log}")
    green = {}
    for test in sorted({test for mutant in mutants for test in mutant.tests}):
        try:
            green[test] = is_green(test, log)
        except Broken as reason:
            print(reason, flush=True)
            green[test] = False
    return green


def chosen(names):
    mutants = {path.stem: path for path in sorted(PATCHES.glob("*.patch"))}
    unknown = [name for name in names if name not in mutants]
    if unknown:
        sys.exit(f"no such mutant: {', '.join(unknown)}")
    return [Mutant(mutants[name]) for name in names or mutants]


def apply_all(mutants):
    """Whether all patches still apply: seconds, where building and testing takes an hour."""
    failed = 0
    for mutant in mutants:
        try:
            plant(mutant, LOGS / f"{mutant.name}.log", "--check")
        except Broken as reason:
            failed += 1
            print(f"{mutant.name:34} {reason}")
    print(f"{len(mutants) - failed} apply, {failed} do not")
    return 1 if failed else 0


def main(arguments):
    options = {word for word in arguments if word.startswith("--")}
    if not options <= {"--list", "--apply"}:
        sys.exit(f"no such option: {' '.join(sorted(options))}")
    mutants = chosen([word for word in arguments if word not in options])
    if "--list" in options:
        for mutant in mutants:
            print(f"{mutant.name:34} {mutant.summary}")
        return 0
    LOGS.mkdir(parents=True, exist_ok=True)
    lock = open(PLACE / "lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit("another run uses the copy of this checkout")
    for old in LOGS.iterdir():
        old.unlink()
    began = time.monotonic()
    copy_checkout()
    if "--apply" in options:
        return apply_all(mutants)
    green = unpatched(mutants)
    print(f"{'unpatched':34} {sum(green.values())} of {len(green)} test commands green, "
          f"{time.monotonic() - began:.0f} s", flush=True)
    counts = {"killed": 0, "survived": 0, "broken": 0}
    for mutant in mutants:
        began = time.monotonic()
        try:
            outcome, why = try_out(mutant, green)
        except Broken as reason:
            outcome, why = "broken", str(reason)
        counts[outcome] += 1
        print(f"{mutant.name:34} {outcome:8} {time.monotonic() - began:4.0f} s  {why}", flush=True)
    if counts["killed"] < len(mutants):
        print(f"logs: {LOGS}")
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    return 0 if counts["killed"] == len(mutants) else 1


if __name__ == "__main__":
    # So that what was started ends, and what was planted goes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1:]))
