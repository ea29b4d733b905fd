"""Plants one bug after the other and demands that a test goes red: see scripts/mutants.

A mutant is a patch with a header of its own:

    The bug, and what it would cost. Any number of lines.
    # tests: swift FILTER
    # tests: pytest FILE [ARGUMENTS...]
    diff --git a/Sources/... b/Sources/...

Each `# tests:` line is a command that must be green without the bug; with it, one of them must be red.
Lines of context are few and may drift (`git apply -C1`), so that unrelated changes do not break a
patch; one that no longer applies or compiles is a failure, as it tests nothing any more.

What was found out is kept in .build/mutants/results, so that a run that was stopped goes on where it was, as long as
all that is compiled or run is the same.
"""

import fcntl
import hashlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import checkout  # noqa: E402: found once the path is there
from harness.checkout import ROOT, git  # noqa: E402

PATCHES = ROOT / "Tests" / "Mutants"
PLACE = ROOT / ".build" / "mutants"
TREE = PLACE / "tree"
LOGS = PLACE / "logs"
RESULTS = PLACE / "results"

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


class Results:
    """What was found out of one tree: which tests are green without a bug, and what became of the mutants."""

    def __init__(self, tree, fresh):
        self.kept = {"tree": tree, "green": [], "tried": {}}
        if RESULTS.exists() and not fresh:
            before = json.loads(RESULTS.read_text())
            if before["tree"] == tree:
                self.kept = before

    def is_known_green(self, test):
        return test in self.kept["green"]

    def keep_green(self, test):
        self.kept["green"].append(test)
        self._write()

    def of(self, mutant):
        """`(outcome, why, seconds)`, or None."""
        return self.kept["tried"].get(self._key(mutant))

    def is_known(self, mutant):
        """Broken is nothing known: what was red without the bug may have been so by chance."""
        return (self.of(mutant) or ("broken",))[0] != "broken"

    def keep(self, mutant, outcome, why, seconds):
        self.kept["tried"][self._key(mutant)] = (outcome, why, seconds)
        self._write()

    @staticmethod
    def _key(mutant):
        return hashlib.sha256(mutant.text.encode()).hexdigest()

    def _write(self):
        draft = RESULTS.with_suffix(".new")
        draft.write_text(json.dumps(self.kept))
        draft.replace(RESULTS)


def copy_checkout():
    """Makes TREE the same as the checkout. Returns a hash of all that is compiled or run."""
    names = checkout.copy(TREE, kept=[ENTRY])
    if not ENTRY.exists():
        ENTRY.write_text(ENTRY_TEXT)
    tree = hashlib.sha256()
    for name in names:
        if name.startswith(("Package.swift", "Sources/", "Tests/")) and not name.startswith("Tests/Mutants/"):
            tree.update(f"{name} {hashlib.sha256((TREE / name).read_bytes()).hexdigest()}\n".encode())
    return tree.hexdigest()


def run(words, log, limit, environment=None):
    """The exit code; None if it was stopped at its limit."""
    with open(log, "ab") as output:
        output.write(f"$ {shlex.join(map(str, words))}\n".encode())
        output.flush()
        # A group of its own, so that what it started ends with it. Not a session: its share of the processors would be
        # that of a new one, whatever this one was given.
        process = subprocess.Popen(
            words, cwd=TREE, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})}, process_group=0)
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
    words = checkout.apply_words(mutant.path, *options)
    if run(words, log, 60, checkout.apply_environment(TREE)) != 0:
        raise Broken("does not apply")


def try_out(mutant, results):
    """What became of the mutant: killed (by which test), survived."""
    log = LOGS / f"{mutant.name}.log"
    for test in mutant.tests:
        if not results.is_known_green(test):
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


def try_unpatched(tests, results):
    """Finds out which tests are green without a bug."""
    log = LOGS / "unpatched.log"
    if not build(log):
        sys.exit(f"the checkout does not compile: {log}")
    for test in tests:
        try:
            if is_green(test, log):
                results.keep_green(test)
        except Broken as reason:
            print(reason, flush=True)


def try_all(mutants, results):
    """Tries those of which nothing is known yet."""
    began = time.monotonic()
    tests = sorted({test for mutant in mutants for test in mutant.tests if not results.is_known_green(test)})
    if tests:
        try_unpatched(tests, results)
        green = sum(map(results.is_known_green, tests))
        print(f"{'unpatched':34} {green} of {len(tests)} test commands green, "
              f"{time.monotonic() - began:.0f} s", flush=True)
    for mutant in mutants:
        began = time.monotonic()
        try:
            outcome, why = try_out(mutant, results)
        except Broken as reason:
            outcome, why = "broken", str(reason)
        seconds = time.monotonic() - began
        results.keep(mutant, outcome, why, seconds)
        print(f"{mutant.name:34} {outcome:8} {seconds:4.0f} s  {why}", flush=True)


def report(mutants, results):
    """Prints what became of all; the exit code."""
    counts = {"killed": 0, "survived": 0, "broken": 0}
    total = 0
    for mutant in mutants:
        outcome, why, seconds = results.of(mutant)
        counts[outcome] += 1
        total += seconds
        if outcome != "killed":
            print(f"{outcome}: {mutant.name} ({why}): {LOGS / mutant.name}.log")
    commit = git("rev-parse", "--short", "HEAD").strip()
    changes = ", with changes" if git("status", "--porcelain", "--", "Package.swift", "Sources", "Tests") else ""
    print(f"commit {commit}{changes}; {total / 60:.1f} minutes for {len(mutants)} mutants")
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    return 0 if counts["killed"] == len(mutants) else 1


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
    if not options <= {"--list", "--apply", "--fresh"}:
        sys.exit(f"no such option: {' '.join(sorted(options))}")
    names = [word for word in arguments if word not in options]
    mutants = chosen(names)
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
    tree = copy_checkout()
    if "--apply" in options:
        return apply_all(mutants)
    results = Results(tree, fresh="--fresh" in options)
    # Who names one wants to see it tried.
    left = [mutant for mutant in mutants if names or not results.is_known(mutant)]
    for log in [*(LOGS / f"{mutant.name}.log" for mutant in left), LOGS / "unpatched.log"]:
        log.unlink(missing_ok=True)
    if len(left) < len(mutants):
        print(f"{len(mutants) - len(left)} of {len(mutants)} were tried before with the same tree", flush=True)
    try_all(left, results)
    return report(mutants, results)


if __name__ == "__main__":
    # So that what was started ends, and what was planted goes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1:]))
