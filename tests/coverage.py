#!/usr/bin/env python3
"""Coverage as a ratchet: each folder's line and branch coverage must not fall below tests/coverage_floor.json.

Read from gcov itself, over all objects that a source was built into. A branch that only a failed assert takes is not
counted: it is a mistake of ours that no input can make. `--record` raises the floor to what was measured (never lowers
it); `--missing FOLDER` lists the lines of a folder whose branches or statements were not all taken.
"""
import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FLOOR = os.path.join(TOP, "tests", "coverage_floor.json")
BUILT = os.path.join(TOP, "build", "cov")
MEASURED = re.compile(r"(shm|configs|rt|nrt)/")
SLACK_PERCENT = 0.3
TIMED = {"shm", "rt", "rt/io", "nrt", "nrt/api", "nrt/ctl", "nrt/store"}  # where the timing of threads and processes decides a few branches
TIMED_SLACK_PERCENT = 1.5


def objects():
    found = []
    for root, _, names in os.walk(BUILT):
        found += [os.path.join(root, n) for n in names if n.endswith(".gcda")]
    return sorted(found)


def gcov(data):
    got = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities", data], cwd=BUILT, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in got.stdout.split("\n") if line.startswith("{")]


def asserts(path, cache={}):  # noqa: B006, the cache is meant to stay
    """The lines of a source that an assert takes up."""
    if path not in cache:
        lines, depth = set(), 0
        with open(os.path.join(TOP, path), errors="replace") as f:
            for number, line in enumerate(f, 1):
                if depth == 0 and not re.match(r"\s*assert\(", line):
                    continue
                lines.add(number)
                depth += line.count("(") - line.count(")")
        cache[path] = lines
    return cache[path]


def merge(into, line, counted):
    """One line of one object: counts add up, branch by branch."""
    branches = [b["count"] for b in line["branches"]] if counted else []
    if line["line_number"] not in into:
        into[line["line_number"]] = [line["count"], branches]
        return
    have = into[line["line_number"]]
    have[0] += line["count"]
    if len(have[1]) == len(branches):
        have[1] = [a + b for a, b in zip(have[1], branches)]
    elif sum(map(bool, branches)) > sum(map(bool, have[1])):  # built otherwise there: the better of the two
        have[1] = branches


def measure():
    """{file: {line: [count, [branch counts]]}}"""
    files = {}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for reports in pool.map(gcov, objects()):
            for entry in (e for report in reports for e in report["files"]):
                path = os.path.normpath(entry["file"])
                if not MEASURED.match(path) or not os.path.exists(os.path.join(TOP, path)):
                    continue
                for line in entry["lines"]:
                    merge(files.setdefault(path, {}), line, line["line_number"] not in asserts(path))
    return files


def percent(part, whole):
    return round(100.0 * part / max(1, whole), 1)


def by_folder(files):
    sums = {}
    for path, lines in files.items():
        s = sums.setdefault(os.path.dirname(path), [0, 0, 0, 0])
        for count, branches in lines.values():
            s[0] += 1
            s[1] += count > 0
            s[2] += len(branches)
            s[3] += sum(map(bool, branches))
    return {k: {"line_percent": percent(s[1], s[0]), "branch_percent": percent(s[3], s[2]), "branches_missed": s[2] - s[3]} for k, s in sums.items()}


def list_missing(files, folder):
    for path in sorted(p for p in files if p.startswith(folder)):
        with open(os.path.join(TOP, path)) as f:
            text = f.read().split("\n")
        for number, (count, branches) in sorted(files[path].items()):
            if count == 0 or not all(branches):
                print("%s:%d: %d of %d  %s" % (path, number, sum(map(bool, branches)), len(branches), text[number - 1].strip()))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--missing", metavar="FOLDER")
    args = parser.parse_args()
    files = measure()
    if not files:
        sys.exit("not ok coverage: no counts in build/cov; build the preset cov and run its tests first")
    if args.missing is not None:
        list_missing(files, args.missing)
        return 0
    measured, floor, bad = by_folder(files), {}, 0
    if os.path.exists(FLOOR):
        with open(FLOOR) as f:
            floor = json.load(f)
    print("%-16s %8s %9s %7s   floor" % ("folder", "lines %", "branch %", "missed"))
    for folder in sorted(measured):
        m, f = measured[folder], floor.get(folder, {})
        slack = TIMED_SLACK_PERCENT if folder in TIMED else SLACK_PERCENT
        low = (not f and not args.record) or any(m[k] < f[k] - slack for k in f)
        print("%-16s %8.1f %9.1f %7d   %s" % (folder, m["line_percent"], m["branch_percent"], m["branches_missed"], " ".join(str(f[k]) for k in sorted(f)) or "none: ./hub cov --record"))
        print(("not ok" if low else "ok") + " coverage: " + folder)
        bad += low
    for folder in set(floor) - set(measured):
        print("not ok coverage: %s was not measured" % folder)
        bad += 1
    os.makedirs(os.path.join(TOP, "out"), exist_ok=True)
    with open(os.path.join(TOP, "out", "coverage.json"), "w") as f:
        json.dump(measured, f, indent=2, sort_keys=True)
    if args.record:
        for folder, m in measured.items():
            f = floor.setdefault(folder, {})
            for key in ("line_percent", "branch_percent"):
                f[key] = max(m[key], f.get(key, 0))
        with open(FLOOR, "w") as out:
            json.dump(floor, out, indent=2, sort_keys=True)
            out.write("\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
