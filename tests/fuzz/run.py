#!/usr/bin/env python3
"""Runs each fuzz target for a while on its corpus. Prints `ok` or `not ok` per target; crashes stay in out/fuzz/."""
import argparse
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
parser = argparse.ArgumentParser()
parser.add_argument("--seconds", type=int, default=20, help="per target (default 20); hours for a long run")
parser.add_argument("--only", help="one target")
args = parser.parse_args()
folder = os.path.join(TOP, "build", "fuzz", "fuzz")
targets = sorted(t for t in os.listdir(folder) if t.startswith("fuzz_")) if os.path.isdir(folder) else []
if args.only:
    targets = [t for t in targets if t == args.only]
if not targets:
    sys.exit("no fuzz target built: ./hub build fuzz")
bad = 0
for target in targets:
    corpus = os.path.join(TOP, "tests", "fuzz", "corpus", target[len("fuzz_"):])
    found = os.path.join(TOP, "out", "fuzz", target)
    os.makedirs(found, exist_ok=True)
    folders = [found] + ([corpus] if os.path.isdir(corpus) else [])
    got = subprocess.run([os.path.join(folder, target), "-max_total_time=%d" % args.seconds, "-timeout=10", "-rss_limit_mb=2048",
                          "-artifact_prefix=%s/" % found, "-print_final_stats=1", *folders],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    runs = [line.split()[-1] for line in got.stdout.split("\n") if "number_of_executed_units" in line]
    if got.returncode == 0 and runs and int(runs[0]) > 1000:
        print("ok fuzz: %s, %s inputs in %d s" % (target, runs[0], args.seconds), flush=True)
    else:
        bad += 1
        print(got.stdout[-3000:])
        print("not ok fuzz: %s (exit %d, %s inputs)" % (target, got.returncode, runs), flush=True)
sys.exit(1 if bad else 0)
