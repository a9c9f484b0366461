#!/usr/bin/env python3
"""Coverage as a ratchet: each folder's line and branch coverage must not fall below tests/coverage_floor.json.

`--record` raises the floor to what was measured (never lowers it).
"""
import json
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FLOOR = os.path.join(TOP, "tests", "coverage_floor.json")
os.chdir(TOP)
os.makedirs("out", exist_ok=True)
got = subprocess.run(["gcovr", "-r", ".", "build/cov", "--json", "out/coverage.json", "--exclude-throw-branches", "--gcov-ignore-parse-errors",
                      "-f", "shm/", "-f", "configs/", "-f", "rt/"], capture_output=True, text=True)
if got.returncode != 0:
    print(got.stderr[-2000:])
    print("not ok coverage: gcovr failed")
    sys.exit(1)
with open("out/coverage.json") as f:
    data = json.load(f)
folders = {}
for entry in data["files"]:
    folder = os.path.dirname(entry["file"])
    sums = folders.setdefault(folder, [0, 0, 0, 0])
    for line in entry["lines"]:
        sums[0] += 1
        sums[1] += line["count"] > 0
        for branch in line.get("branches", []):
            sums[2] += 1
            sums[3] += branch["count"] > 0
measured = {k: {"line_percent": round(100.0 * v[1] / max(1, v[0]), 1), "branch_percent": round(100.0 * v[3] / max(1, v[2]), 1)} for k, v in folders.items()}
floor = {}
if os.path.exists(FLOOR):
    with open(FLOOR) as f:
        floor = json.load(f)
print("%-20s %8s %8s   floor" % ("folder", "lines %", "branch %"))
bad = 0
for folder in sorted(measured):
    m, f = measured[folder], floor.get(folder, {})
    low = [k for k in f if m[k] < f[k] - 0.3]
    print("%-20s %8.1f %8.1f   %s%s" % (folder, m["line_percent"], m["branch_percent"], f or "-", "  BELOW" if low else ""))
    print(("not ok" if low else "ok") + " coverage: %s" % folder)
    bad += bool(low)
for folder in set(floor) - set(measured):
    print("not ok coverage: %s was not measured" % folder)
    bad += 1
if "--record" in sys.argv:
    for folder, m in measured.items():
        f = floor.setdefault(folder, {})
        for key, value in m.items():
            f[key] = max(value, f.get(key, 0))
    with open(FLOOR, "w") as out:
        json.dump(floor, out, indent=2, sort_keys=True)
        out.write("\n")
sys.exit(1 if bad else 0)
