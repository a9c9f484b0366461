#!/usr/bin/env python3
"""The long run of the brute-force oracle: a million random rings, shared out over the processors. Prints `ok` or `not ok` per share."""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True, help="test_planner_partition_oracle")
    parser.add_argument("--instances", type=int, default=1000000)
    parser.add_argument("--seed", type=int, default=1000000000)
    args = parser.parse_args()
    shares = os.cpu_count() or 1
    each = -(-args.instances // shares)

    def run(share):
        got = subprocess.run([args.program, str(each), str(args.seed + share * each)], capture_output=True, text=True)
        last = re.search(r"^oracle: (\d+) rings, (\d+) mismatches$", got.stdout, re.M)
        ok = got.returncode == 0 and last is not None and int(last.group(1)) == each and int(last.group(2)) == 0
        if not ok:
            print((got.stdout + got.stderr)[-2000:])
        print("%s oracle: %d rings from seed %d" % ("ok" if ok else "not ok", each, args.seed + share * each), flush=True)
        return ok

    with concurrent.futures.ThreadPoolExecutor(shares) as pool:
        sys.exit(0 if all(list(pool.map(run, range(shares)))) else 1)


if __name__ == "__main__":
    main()
