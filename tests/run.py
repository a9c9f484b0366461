#!/usr/bin/env python3
"""All tests, part by part, with one count at the end. `./hub test` calls it.

A part is a list of steps; each step yields (name, passed) pairs. Nothing is skipped silently: a test that skips itself is named
and counted, a program or script that cannot run fails.
"""
import argparse
import json
import os
import re
import subprocess
import shutil
import sys
import threading
import time
import xml.etree.ElementTree as ET

# A test may skip itself only where this says so, with the reason beside it.
SKIPS = [
    r"tsan/test_shm_hostile:",  # writes wildly beside atomic reads on purpose: run under ASAN instead
]

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUT = os.path.join(TOP, "out", "test")


class Count:
    def __init__(self):
        self.passed, self.failed, self.skipped, self.retried, self.times = [], [], [], [], []

    def add(self, name, ok, detail=""):
        (self.passed if ok else self.failed).append(name)
        if not ok:
            print("FAIL %s%s" % (name, (": " + detail) if detail else ""), flush=True)


def step(text):
    print("==> %s" % text, flush=True)


class Steps:
    """How far a build or a row of test programs is: in place on a terminal, else a line per quarter."""

    def __init__(self):
        self.live, self.quarter = sys.stdout.isatty(), 0

    def __call__(self, line):
        at = re.match(r"\s*\[?(\d+)/(\d+)[\] ]", line)
        if not at:
            return
        if self.live:
            print("\r\033[K    " + line.strip()[:shutil.get_terminal_size().columns - 5], end="", flush=True)
        elif 4 * int(at[1]) // int(at[2]) > self.quarter:
            self.quarter = 4 * int(at[1]) // int(at[2])
            print("    %s of %s" % (at[1], at[2]), flush=True)

    def end(self):
        if self.live:
            print("\r\033[K", end="", flush=True)


class Verdicts:
    """What a test script says of each of its tests, as it says it."""

    def __call__(self, line):
        if re.match(r"ok |not ok |retried |# |guest |  guest |==> ", line):
            print("    " + line[:300].rstrip(), flush=True)

    def end(self):
        pass


def run(command, log, timeout, env=None, show=None):
    """Exit code, output whole in the log file and shown as it comes; 124 on time-out. The children of a timed-out command are
    ended with it."""
    os.makedirs(OUT, exist_ok=True)
    process = subprocess.Popen(command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                               env=dict(os.environ, PYTHONUNBUFFERED="1", HUB_PROGRESS="1", **(env or {})))

    def copy():
        with open(os.path.join(OUT, log), "wb", buffering=0) as f:
            for line in process.stdout:
                f.write(line)
                if show:
                    show(line.decode(errors="replace").rstrip("\n"))

    reader = threading.Thread(target=copy, daemon=True)
    reader.start()
    try:
        code = process.wait(timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
        code = 124
    reader.join(10)  # a child that left the group may still hold the pipe
    if show:
        show.end()
    return code


def tail(log, lines=30):
    with open(os.path.join(OUT, log), errors="replace") as f:
        return "".join(f.readlines()[-lines:])


def build(count, preset, targets=()):
    step("building (%s)" % preset)
    start = time.monotonic()
    command = ["./hub", "build", preset]
    for target in targets:
        command += ["--target", target]
    code = run(command, "build-%s.log" % preset, 1500, show=Steps())
    count.times.append(("build " + preset, time.monotonic() - start))
    count.add("build %s" % preset, code == 0, "see out/test/build-%s.log\n%s" % (preset, tail("build-%s.log" % preset) if code else ""))
    return code == 0


def cmocka_counts(text):
    """Single tests inside the output of one cmocka program."""
    return len(re.findall(r"\[       OK \]", text)), re.findall(r"\[  FAILED  \] (\w+)$", text, re.M)


def ctest(count, preset, label, jobs=2, name_filter=None, env=None):
    """Runs the ctest programs of a label; counts the tests inside each."""
    title = "%s tests (%s)" % (label, preset)
    step(title)
    start = time.monotonic()
    junit = os.path.join(OUT, "ctest-%s-%s.xml" % (preset, label))
    os.makedirs(OUT, exist_ok=True)
    if os.path.exists(junit):
        os.unlink(junit)
    command = ["ctest", "--test-dir", "build/" + preset, "-L", "^%s$" % label, "-j", str(jobs), "--output-on-failure",
               "--no-tests=error", "--output-junit", junit, "--test-output-size-passed", "1000000", "--test-output-size-failed", "1000000"]
    if name_filter:
        command += ["-R", name_filter]
    code = run(command, "ctest-%s-%s.log" % (preset, label), 2400, env, Steps())
    count.times.append((title, time.monotonic() - start))
    if not os.path.exists(junit):
        count.add(title, False, "ctest ran nothing (exit %d), see out/test/ctest-%s-%s.log" % (code, preset, label))
        return
    for case in ET.parse(junit).getroot().iter("testcase"):
        name = "%s/%s" % (preset, case.get("name"))
        output = case.findtext("system-out") or ""
        passed, failed = cmocka_counts(output)
        skipped = re.findall(r"^\[  SKIPPED \] (\w+)$", output, re.M)
        for test in sorted(set(skipped)):
            full = "%s:%s" % (name, test)
            if any(re.match(allowed, full) for allowed in SKIPS):
                count.skipped.append(full)
            else:
                count.add(full, False, "skipped itself, which nothing allows")
        ok = case.get("status") == "run" and case.find("failure") is None
        for i in range(passed if ok else max(0, passed)):
            count.passed.append("%s[%d]" % (name, i))
        if not ok:
            for test in sorted(set(failed)) or ["(program)"]:
                count.add("%s:%s" % (name, test), False)
            print(output[-4000:], flush=True)
        elif passed == 0 and not skipped:
            count.add(name, True)


def script(count, title, command, timeout, env=None):
    """A test script that prints `ok NAME` and `not ok NAME` lines, and `retried NAME: why` of what ran again."""
    step(title)
    start = time.monotonic()
    log = re.sub(r"\W+", "-", title) + ".log"
    code = run(command, log, timeout, env, Verdicts())
    count.times.append((title, time.monotonic() - start))
    with open(os.path.join(OUT, log), errors="replace") as f:
        text = f.read()
    oks = re.findall(r"^ok (.+)$", text, re.M)
    bad = re.findall(r"^not ok (.+)$", text, re.M)
    count.retried += re.findall(r"^retried (.+)$", text, re.M)
    for name in oks:
        count.passed.append(name)
    for name in bad:
        count.add(name, False)
    if code != 0 and not bad:
        count.add(title, False, "exit %d, see out/test/%s\n%s" % (code, log, tail(log)))
    elif not oks:
        count.add(title, False, "no test ran, see out/test/%s" % log)
    elif bad:
        print(tail(log, 60), flush=True)


def part_unit(count):
    if build(count, "dev"):
        ctest(count, "dev", "unit")
    if build(count, "asan"):
        ctest(count, "asan", "unit")
    if build(count, "tsan", ["tsan-tests"]):
        ctest(count, "tsan", "unit", name_filter="^test_shm_")


def part_integration(count):
    if build(count, "dev"):
        ctest(count, "dev", "integration", jobs=1)
    if build(count, "asan", ["test_virtual_time", "test_islands"]):
        ctest(count, "asan", "integration", jobs=1)
    if build(count, "release", ["hub-programs", "ringmain-rt-heapcheck", "ringmain-stall-probe", "ringmain-bench-service"]):
        script(count, "service study, short", ["python3", "benchmarks/service/run.py", "--bin", "build/release/bin", "--json", "out/test/service.json", "--short"], 1200)
        script(count, "the hub as a whole", ["python3", "tests/integration/run.py", "--bin", "build/release/bin"], 2100)


def part_milp(count):
    if build(count, "release", ["ringmain-partition-dump"]):
        script(count, "the partition through CBC", ["python3", "tests/oracle/milp.py", "--dump", "build/release/bin/ringmain-partition-dump"], 900)


def part_oracle(count):
    """The long run: a million rings by brute force, and both MILP solvers."""
    if build(count, "release", ["ringmain-partition-dump", "test_planner_partition_oracle"]):
        script(count, "the partition by brute force, long", ["python3", "tests/oracle/brute.py", "--program", "build/release/tests/test_planner_partition_oracle"], 3000)
        for solver, unfinished in (("cbc", 0), ("glpk", 6)):  # glpsol gets lost in a ring out of some hundreds
            script(count, "the partition through " + solver.upper(), ["python3", "tests/oracle/milp.py", "--dump", "build/release/bin/ringmain-partition-dump",
                                                                      "--solver", solver, "--instances", "600", "--seed", "1001",
                                                                      "--unfinished-max", str(unfinished)], 3000)


def part_fuzz(count):
    if build(count, "fuzz", ["fuzz-targets"]):
        script(count, "fuzzing, short", ["python3", "tests/fuzz/run.py", "--seconds", "20"], 900)


def part_check(count):
    script(count, "checks", ["python3", "tests/check.py"], 900)


def part_rt(count):
    subprocess.run(["./hub", "install", "rt"], cwd=TOP, check=True)
    if build(count, "release", ["hub-programs", "ringmain-rt-heapcheck", "ringmain-stall-probe"]):
        script(count, "PREEMPT_RT guest", ["python3", "tests/rt-guest/run.py", "--bin", "build/release/bin"], 2400)


def part_cov(count, record=False):
    if build(count, "cov"):
        for root, _, names in os.walk(os.path.join(TOP, "build", "cov")):  # counts of earlier runs would hide a loss
            for name in names:
                if name.endswith(".gcda"):
                    os.unlink(os.path.join(root, name))
        ctest(count, "cov", "unit")
        script(count, "coverage", ["python3", "tests/coverage.py"] + (["--record"] if record else []), 600)


PARTS = {
    "unit": [part_unit], "integration": [part_integration], "fuzz": [part_fuzz], "oracle": [part_oracle], "rt": [part_rt], "check": [part_check],
    "cov": [part_cov], "all": [part_check, part_unit, part_milp, part_integration, part_fuzz, part_cov, part_rt],
}


def main():
    parser = argparse.ArgumentParser(prog="./hub test")
    parser.add_argument("part", nargs="?", default="all", choices=sorted(PARTS))
    parser.add_argument("--json", help="write the counts and times to this file")
    parser.add_argument("--record", action="store_true", help="cov: raise the floor in tests/coverage_floor.json to what was measured")
    args = parser.parse_args()
    count = Count()
    start = time.monotonic()
    for part in PARTS[args.part]:
        if args.part == "cov":
            part(count, args.record)
        else:
            part(count)
    print("\nwhere the time went:")
    for name, seconds in count.times:
        print("  %6.0f s  %s" % (seconds, name))
    print("  %6.0f s  in all" % (time.monotonic() - start))
    for name in count.skipped:
        print("skipped: %s" % name)
    for name in count.retried:
        print("retried: %s" % name)
    for name in count.failed:
        print("failed: %s" % name)
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"passed": len(count.passed), "failed": len(count.failed), "failures": count.failed, "skipped": count.skipped,
                       "retried": count.retried,
                       "times_s": {n: round(s, 1) for n, s in count.times}}, f, indent=2)
    if count.retried:
        print("%d ran again after a proven stall of this machine, see retried" % len(count.retried))
    print("%d passed, %d failed" % (len(count.passed), len(count.failed)))
    sys.exit(1 if count.failed or not count.passed else 0)


if __name__ == "__main__":
    main()
