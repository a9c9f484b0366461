#!/usr/bin/env python3
"""The exact partition: times for rings of 1 to 96 slots, brute force beside it, and the same rings through CBC and GLPK.

Figures: median and worst of the slowest kind of rings; milp_time_ratio is that of the faster of the two solvers, their start-up not counted.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def times(args):
    with tempfile.NamedTemporaryFile(suffix=".json") as f:
        subprocess.run([os.path.join(args.bin, "ringmain-bench-planner"), "--json", f.name, "--instances", str(args.rings)], check=True)
        return json.load(f)["entries"]


def brute(args):
    """Rings compared and mismatches."""
    program = os.path.join(os.path.dirname(os.path.abspath(args.bin)), "tests", "test_planner_partition_oracle")
    got = subprocess.run([program, str(args.oracle)], capture_output=True, text=True)
    last = re.search(r"^oracle: (\d+) rings, (\d+) mismatches$", got.stdout, re.M)
    if last is None:
        sys.exit("planner: the brute-force oracle did not end: %s" % (got.stdout + got.stderr)[-500:])
    print(last.group(0), flush=True)
    return int(last.group(1)), int(last.group(2))


def milp(args, solver):
    with tempfile.NamedTemporaryFile(suffix=".json") as f:
        command = [sys.executable, os.path.join(TOP, "tests", "oracle", "milp.py"), "--dump", os.path.join(args.bin, "ringmain-partition-dump"), "--solver", solver,
                   "--instances", str(args.milp), "--jobs", "1", "--unfinished-max", str(args.milp), "--json", f.name]
        got = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        print("".join(line + "\n" for line in got.stdout.split("\n") if line and not line.startswith("ok ")), end="", flush=True)
        return json.load(f)


def main():
    parser = argparse.ArgumentParser(prog="./hub bench planner")
    parser.add_argument("--bin", required=True)
    parser.add_argument("--json", required=True)
    parser.add_argument("--rings", type=int, default=2000, help="rings of each kind and size")
    parser.add_argument("--oracle", type=int, default=100000, help="rings compared with brute force")
    parser.add_argument("--milp", type=int, default=210, help="rings of 12 slots given to CBC and to GLPK")
    args = parser.parse_args()
    entries = times(args)
    rings, mismatches = brute(args)
    solvers = [milp(args, solver) for solver in ("cbc", "glpk")]

    def largest(slots, key):
        return max(e[key] for e in entries if e["slots"] == slots)

    result = {"n12_median_us": round(largest(12, "median_us"), 2), "n12_worst_us": round(largest(12, "worst_us"), 2),
              "n96_worst_us": round(largest(96, "worst_us"), 2),
              "growth_48_to_96": round(largest(96, "median_us") / largest(48, "median_us"), 2),
              "oracle_instances": rings + sum(s["instances"] - s["unfinished"] for s in solvers), "mismatches": mismatches + sum(s["mismatches"] for s in solvers),
              "milp_time_ratio": min(s["time_ratio"] for s in solvers), "milp": solvers, "entries": entries}
    with open(args.json, "w") as f:
        json.dump(result, f, indent=2)
        f.write("\n")
    print("N = 12: median %(n12_median_us).1f us, worst %(n12_worst_us).1f us; N = 96: worst %(n96_worst_us).1f us; %(oracle_instances)d rings checked, "
          "%(mismatches)d mismatches; the faster MILP solver takes %(milp_time_ratio)d times as long" % result)
    sys.exit(1 if mismatches or any(s["mismatches"] for s in solvers) else 0)


if __name__ == "__main__":
    main()
