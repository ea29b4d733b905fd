"""Prints how many regions of each decoder the fuzzers cover.

Arguments: the summary of llvm-cov export, and a file whose lines are a fuzzer and its decoders.
"""

import json
import sys

with open(sys.argv[1]) as file:
    report = json.load(file)["data"][0]["files"]
regions = {}
for entry in report:
    decoder = entry["filename"].split("/Sources/")[-1].removesuffix(".swift")
    regions[decoder] = entry["summary"]["regions"]

print("| fuzzer | decoder | regions covered | |\n|---|---|---|---|")
covered = count = 0
with open(sys.argv[2]) as file:
    for line in file:
        name, *decoders = line.split()
        for decoder in decoders:
            found = regions[decoder]
            covered += found["covered"]
            count += found["count"]
            share = 100 * found["covered"] / max(1, found["count"])
            print(f"| {name} | `{decoder}` | {found['covered']} of {found['count']} | {share:.0f} % |")
            name = ""
print(f"| | all | {covered} of {count} | {100 * covered / max(1, count):.1f} % |")
