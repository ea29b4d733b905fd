"""tally.py RESULTS ALLOWED: adds up the JUnit files of a test run and prints its last line.

A step that failed without a failed test to show for it (a build, a crash, a time limit) counts as one failure.
Skips are printed with their reasons. With CI=true a skip that ALLOWED does not list fails the run.
"""

import fnmatch
import os
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def cases(folder):
    """(step, name, outcome, reason) of every test case in the folder's files."""
    for path in sorted(folder.glob("*.xml")):
        step = path.stem.removesuffix("-swift-testing")
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            name = f"{case.get('classname')}.{case.get('name')}"
            outcome, reason = "passed", ""
            for child in case:
                if child.tag in ("failure", "error"):
                    outcome, reason = "failed", child.get("message") or ""
                elif child.tag == "skipped" and outcome == "passed":
                    outcome, reason = "skipped", child.get("message") or child.text or "no reason given"
            yield step, name, outcome, reason


def allowed_patterns(path):
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]


def main(results, allowed):
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    patterns, steps_with_failures = allowed_patterns(allowed), set()
    for step, name, outcome, reason in cases(results):
        counts[outcome] += 1
        if outcome == "failed":
            steps_with_failures.add(step)
            print(f"failed: {name}: {reason.splitlines()[0] if reason else ''}"[:300])
        if outcome == "skipped":
            print(f"skipped: {name}: {reason}")
            known = any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
            if os.environ.get("CI") == "true" and not known:
                counts["failed"] += 1
                print(f"failed: in CI nothing is skipped but what {allowed} lists: {name}")
    failed_steps = results / "failed-steps"
    for step in failed_steps.read_text().split() if failed_steps.exists() else []:
        if step not in steps_with_failures:
            counts["failed"] += 1
            print(f"failed: the step {step}")
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
