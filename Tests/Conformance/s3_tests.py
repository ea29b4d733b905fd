"""s3_tests.py [--write] [--only EXPRESSION] DIR: the public suite ceph/s3-tests against a server of ours.

The expected results are lines of s3-tests.txt, `RESULT CLASS FILE::TEST`. The class of a failure says why it
is expected; classes.txt explains each. What this prints is only what differs.
"""

import argparse
import collections
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import state  # noqa: E402
from harness.server import REGION, Server  # noqa: E402

HERE = Path(__file__).resolve().parent
EXPECTED = HERE / "s3-tests.txt"
CLASSES = HERE / "classes.txt"
REPORT = HERE.parents[1] / "docs" / "s3-compatibility.md"
SUITES = ["test_s3", "test_headers"]

# A failure that nobody looked at yet.
UNCLASSIFIED = "to-do"

# Whoever the suite acts as: its section, an access key of ours.
USERS = {
    "s3 main": "GK000000000000000000000001",
    "s3 alt": "GK000000000000000000000002",
    "s3 tenant": "GK000000000000000000000003",
    "iam": "GK000000000000000000000004",
    "iam root": "GK000000000000000000000005",
    "iam alt root": "GK000000000000000000000006",
}


def secret(key):
    return key.removeprefix("GK").rjust(64, "5")


def suite_configuration(server):
    lines = [
        "[DEFAULT]", "host = localhost", f"port = {server.port}", "is_secure = False",
        "ssl_verify = False", "[fixtures]", "bucket prefix = grange-{random}-"]
    for section, key in USERS.items():
        name = section.replace(" ", "-")
        lines += [
            f"[{section}]", f"access_key = {key}", f"secret_key = {secret(key)}",
            # An access key is its own user here: its ID and name are what listings show as the owner.
            f"user_id = {key}", f"display_name = {name}", f"email = {name}@example.org",
            f"api_name = {REGION}", "tenant ="]
    return "\n".join(lines) + "\n"


def run_suite(checkout, only, folder):
    """Runs the suite; returns {FILE::TEST: passed, failed or skipped}."""
    server = Server(folder)
    server.start()
    try:
        for section, key in USERS.items():
            server.command(
                "key", "import", key, "-", "--name", section.replace(" ", "-"), "--yes",
                input=secret(key))
            server.command("key", "allow", key, "--create-bucket")
        configuration = folder / "s3tests.conf"
        configuration.write_text(suite_configuration(server))
        results = folder / "results.xml"
        words = [
            sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider",
            "--junitxml", results]
        words += ["-k", only] if only else []
        words += [f"s3tests/functional/{suite}.py" for suite in SUITES]
        with open(state.folder("logs") / "s3-tests.log", "wb") as log:
            subprocess.run(
                words, cwd=checkout, stdout=log, stderr=log, check=False, timeout=3600,
                env={"PATH": os.environ["PATH"], "HOME": str(folder),
                     "S3TEST_CONF": str(configuration), "AWS_DEFAULT_REGION": REGION,
                     "AWS_EC2_METADATA_DISABLED": "true"})
        print(f"log: {log.name}")
        assert server.process.poll() is None, f"the server died\n{server.log_tail()}"
        server.stop()
        return read_results(results)
    finally:
        server.kill()


def read_results(path):
    results = {}
    for case in ElementTree.parse(path).iter("testcase"):
        name = f"{case.get('classname').rpartition('.')[2]}::{case.get('name')}"
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            results[name] = "failed"
        elif results.get(name) != "failed":
            results[name] = "skipped" if "skipped" in kinds else "passed"
    return results


def read_expected():
    """{FILE::TEST: (result, class)}"""
    if not EXPECTED.exists():
        return {}
    lines = [line.split() for line in EXPECTED.read_text().splitlines() if line]
    return {name: (result, kind) for result, kind, name in lines}


def read_classes():
    """{class: what it means}, in order."""
    lines = [line for line in CLASSES.read_text().splitlines() if line and line[0] != "#"]
    return {name: meaning.strip() for name, _, meaning in (line.partition(":") for line in lines)}


def class_of(name, result, expected):
    if result != "failed":
        return "-"
    kind = expected.get(name, ("", "-"))[1]
    return UNCLASSIFIED if kind == "-" else kind


def write(results, expected):
    merged = {name: line for name, line in expected.items() if name not in results}
    for name, result in results.items():
        merged[name] = (result, class_of(name, result, expected))
    EXPECTED.write_text(
        "".join(f"{result} {kind} {name}\n" for name, (result, kind) in sorted(merged.items())))
    write_report(merged)


def write_report(results):
    """Renews the lists of docs/s3-compatibility.md between its two marks."""
    by_class = collections.defaultdict(list)
    for name, (result, kind) in sorted(results.items()):
        by_class[kind if result == "failed" else result].append(name.partition("::")[2])
    counts = collections.Counter(result for result, _ in results.values())
    lines = [
        f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped "
        f"of {len(results)}.", ""]
    for kind, meaning in [*read_classes().items(), ("skipped", "skipped by the suite itself")]:
        if by_class[kind]:
            names = ", ".join(f"`{name}`" for name in by_class[kind])
            lines += [f"### {kind} ({len(by_class[kind])})", "", f"{meaning}", "", names, ""]
    begin, end = "<!-- results -->\n", "<!-- end of results -->\n"
    text = REPORT.read_text()
    REPORT.write_text(re.sub(
        f"{begin}.*{end}", lambda _: begin + "\n".join(lines) + end, text, flags=re.DOTALL))


def differences(results, expected, only):
    for name, result in sorted(results.items()):
        was = expected.get(name, ("unknown", "-"))[0]
        if result != was:
            yield f"{result} (expected: {was}) {name}"
    if not only:
        for name in sorted(expected.keys() - results.keys()):
            yield f"not run (expected: {expected[name][0]}) {name}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--only")
    parser.add_argument("checkout", type=Path)
    options = parser.parse_args()
    if not (options.checkout / "s3tests" / "functional").is_dir():
        parser.error(f"{options.checkout} is no checkout of ceph/s3-tests")
    results = run_suite(
        options.checkout, options.only, state.folder("run", f"s3-tests-{os.getpid()}"))
    counts = collections.Counter(results.values())
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    expected = read_expected()
    unknown = {kind for _, kind in expected.values()} - read_classes().keys() - {"-"}
    if unknown:
        sys.exit(f"{CLASSES.name} does not explain: {', '.join(sorted(unknown))}")
    found = list(differences(results, expected, options.only))
    print("\n".join(found))
    if options.write:
        write(results, expected)
    elif found:
        sys.exit(1)


if __name__ == "__main__":
    main()
