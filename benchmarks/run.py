#!/usr/bin/env python3
"""Benchmarks, each beside a peer in the same run. `./hub bench NAME` calls it.

Each prints a table for people and writes out/bench/NAME.json with flat keys (details under "entries").
Times are of this machine; the ratios are what counts.
"""
import argparse
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
OUT = os.path.join(TOP, "out", "bench")
BIN = os.path.join(TOP, "build", "release", "bin")


def machine():
    """What the figures were measured on, for the table's head."""
    model = "unknown CPU"
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    load = os.getloadavg()
    return {"cpu": model, "cpus": os.cpu_count(), "kernel": os.uname().release, "load_1min": round(load[0], 2)}


def build(targets):
    command = ["./hub", "build", "release"]
    for target in targets:
        command += ["--target", target]
    subprocess.run(command, cwd=TOP, check=True)


def add_machine(path):
    with open(path) as f:
        result = json.load(f)
    result["machine"] = machine()
    with open(path, "w") as f:
        json.dump(result, f, indent=2)
        f.write("\n")


def native(name, target):
    """A benchmark that is one C program."""
    def run(args):
        build([target])
        path = os.path.join(OUT, name + ".json")
        code = subprocess.run([os.path.join(BIN, target), "--json", path, *args], cwd=TOP).returncode
        if code:
            sys.exit(code)
        add_machine(path)
    return run


def python(name, targets=()):
    """A benchmark that starts whole processes or guests."""
    def run(args):
        build(["hub-programs", *targets])
        code = subprocess.run([sys.executable, os.path.join(HERE, name, "run.py"), "--bin", BIN, "--json", os.path.join(OUT, name + ".json"), *args], cwd=TOP).returncode
        if code:
            sys.exit(code)
        add_machine(os.path.join(OUT, name + ".json"))
    return run


BENCHES = {"latency": python("latency", ["ringmain-rt-heapcheck"]), "reaction": native("reaction", "ringmain-bench-reaction"),
           "ring": native("ring", "ringmain-bench-ring"), "cycle": python("cycle", ["ringmain-bench-cycle"]),
           "planner": python("planner", ["ringmain-bench-planner", "ringmain-partition-dump", "test_planner_partition_oracle"]),
           "service": python("service", ["ringmain-bench-service"])}


def main():
    parser = argparse.ArgumentParser(prog="./hub bench")
    parser.add_argument("name", choices=sorted(BENCHES))
    args, rest = parser.parse_known_args()
    os.makedirs(OUT, exist_ok=True)
    m = machine()
    print("machine: %s, %d CPUs, Linux %s, load %.2f" % (m["cpu"], m["cpus"], m["kernel"], m["load_1min"]), flush=True)
    BENCHES[args.name](rest)
    print("figures: %s" % os.path.relpath(os.path.join(OUT, args.name + ".json"), TOP))


if __name__ == "__main__":
    main()
