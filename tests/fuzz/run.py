#!/usr/bin/env python3
"""Runs the fuzz targets for a while on their corpora, as many at a time as there are processors.

Prints `ok` or `not ok` per target; crashes and what was found stay in out/fuzz/TARGET/. A target's words are in TARGET.dict.
"""
import argparse
import concurrent.futures
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.join(TOP, "tests", "fuzz")
BUILT = os.path.join(TOP, "build", "fuzz", "fuzz")
# Targets that run a whole hub: long inputs from the start, and none of libFuzzer's costly weighing of rare features.
# A run that got through fewer inputs than this has not tested anything.
HUB = {"fuzz_command": 200, "fuzz_proposal_12": 200, "fuzz_proposal_96": 20}
FEWEST = 10000


def run(target, seconds):
    """True and what to say."""
    name = target[len("fuzz_"):]
    found = os.path.join(TOP, "out", "fuzz", target)
    os.makedirs(found, exist_ok=True)
    options = ["-max_total_time=%d" % seconds, "-timeout=20", "-rss_limit_mb=2048", "-artifact_prefix=%s/" % found, "-print_final_stats=1"]
    if target in HUB:
        options += ["-len_control=0", "-entropic=0", "-max_len=192"]
    words = os.path.join(HERE, name + ".dict")
    if os.path.exists(words):
        options.append("-dict=" + words)
    corpus = os.path.join(HERE, "corpus", name)
    if not os.path.isdir(corpus):
        return False, "%s has no seeds in tests/fuzz/corpus/%s" % (target, name)
    got = subprocess.run([os.path.join(BUILT, target), *options, found, corpus], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         text=True, errors="replace", check=False)
    counts = [int(line.split()[-1]) for line in got.stdout.split("\n") if "number_of_executed_units" in line]
    inputs = counts[0] if counts else 0
    if got.returncode == 0 and inputs >= HUB.get(target, FEWEST) * seconds // 20:
        return True, "%s, %d inputs in %d s" % (target, inputs, seconds)
    return False, "%s (exit %d, %d inputs in %d s)\n%s" % (target, got.returncode, inputs, seconds, got.stdout[-3000:])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=20, help="per target (default 20); hours for a long run")
    parser.add_argument("--only", help="one target")
    args = parser.parse_args()
    targets = sorted(t for t in os.listdir(BUILT) if t.startswith("fuzz_")) if os.path.isdir(BUILT) else []
    targets = [t for t in targets if args.only in (None, t)]
    if not targets:
        sys.exit("no fuzz target built: ./hub build fuzz")
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for ok, text in pool.map(lambda t: run(t, args.seconds), targets):
            first, _, rest = text.partition("\n")
            if rest:
                print(rest)
            print(("ok" if ok else "not ok") + " fuzz: " + first, flush=True)
            bad += not ok
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
