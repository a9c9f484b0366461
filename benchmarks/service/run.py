#!/usr/bin/env python3
"""The study of service: whole days at the ring and at the topologies it is compared with, on the same arrivals and seeds.

The days are computed by ringmain-bench-service, one JSON line per topology, day and seed; here they are spread over the CPUs, averaged with
95 % intervals over the seeds, checked against the full hub in virtual time, and put into a table and a plot.
`--short` is the part that the tests run: one cell, two seeds, an hour of the full hub, and `ok`/`not ok` lines.
"""
import argparse
import concurrent.futures
import hashlib
import json
import math
import os
import shutil
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
PROGRAM = "ringmain-bench-service"
TOPOLOGIES = ["fixed", "pairs", "cabinets", "ring", "ring-guided", "ideal-ring", "ideal-ring-guided", "matrix", "pool"]
TITLES = {"fixed": "fixed: own two modules", "pairs": "pairs", "cabinets": "four-gun cabinets", "ring": "**ring, real planner**",
          "ring-guided": "**ring, real planner and its bay guidance**", "ideal-ring": "idealised ring", "ideal-ring-guided": "idealised ring, bay guidance",
          "matrix": "full matrix", "pool": "ideal pool", "full": "full hub in virtual time"}
SESSIONS = [60, 120, 180, 240]
GRIDS = [0, 360]
COSTS = [60, 1200, 2500, 4000]
MARGIN = 0.03  # mean plugged minutes of the fast model against the full hub, in the short study's single hour
T95 = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 10: 2.26, 20: 2.09, 30: 2.05, 40: 2.02}  # two-sided, by number of seeds


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int((len(values) - 1) * q + 0.5))] if values else None


def interval(values):
    """Mean and half width of the 95 % interval."""
    if len(values) < 2:
        return statistics.mean(values), 0.0
    t = T95[max(n for n in T95 if n <= len(values))]
    return statistics.mean(values), t * statistics.stdev(values) / math.sqrt(len(values))


def compute(binary, topology, sessions, grid, first, last, extra=(), keep=None):
    command = [os.path.join(binary, PROGRAM), "--topology", topology.replace("-guided", ""), "--sessions", str(sessions), "--grid-kw", str(grid),
               "--seeds", str(first), str(last), *extra]
    if topology.endswith("-guided"):
        command.append("--guided")
    kept = keep and os.path.join(keep[0], hashlib.sha1((keep[1] + " ".join(command[1:])).encode()).hexdigest())
    if kept and os.path.exists(kept):
        with open(kept) as f:
            return [json.loads(line) for line in f]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit("%s failed (%d): %s" % (" ".join(command), done.returncode, done.stderr[-1000:]))
    if done.stderr:
        print(done.stderr[-1000:], file=sys.stderr)
    if kept:
        with open(kept + ".new", "w") as f:
            f.write(done.stdout)
        os.rename(kept + ".new", kept)
    return [json.loads(line) for line in done.stdout.split("\n") if line]


class Study:
    def __init__(self, binary, jobs, keep):
        self.binary, self.pool, self.days, self.keep = binary, concurrent.futures.ThreadPoolExecutor(jobs), {}, None
        if keep:  # days already computed by this very program are not computed again
            os.makedirs(keep, exist_ok=True)
            with open(os.path.join(binary, PROGRAM), "rb") as f:
                self.keep = (keep, hashlib.sha1(f.read()).hexdigest())

    def add(self, topologies, sessions, grids, seeds, extra=(), name=None):
        """Starts the days; long ones singly so that they spread."""
        waiting = []
        for topology in topologies:
            chunk = 1 if topology == "full" else 5
            for n in sessions:
                for grid in grids:
                    for first in range(1, seeds + 1, chunk):
                        waiting.append(((name or topology, n, grid), self.pool.submit(compute, self.binary, topology, n, grid, first, min(first + chunk - 1, seeds), extra, self.keep)))
        return waiting

    def gather(self, waiting):
        for done, (key, future) in enumerate(waiting, 1):
            self.days.setdefault(key, []).extend(future.result())
            if sys.stderr.isatty():
                print("\r%d of %d" % (done, len(waiting)), end="", file=sys.stderr)
        if sys.stderr.isatty():
            print("", file=sys.stderr)

    def mean(self, key, field="mean_min"):
        return interval([d[field] for d in self.days[key]])

    def pooled(self, key, field):
        return [s for d in self.days[key] for s in d[field]]

    def total(self, field, topologies):
        return sum(d[field] for key, days in self.days.items() if key[0] in topologies for d in days)


def row(study, key):
    mean, half = study.mean(key)
    cells = ["%.1f ± %.1f" % (mean, half), "%.0f" % study.mean(key, "p95_min")[0], "%.2f" % study.mean(key, "slowdown")[0],
             "%.1f" % study.mean(key, "wait_mean_min")[0], "%.0f" % (100 * study.mean(key, "limited")[0])]
    moves = key[0].startswith(("ring", "ideal-ring", "full"))
    cells.append("%.1f" % study.mean(key, "closings_per_boundary")[0] if moves else "-")
    real = key[0].startswith("ring") or key[0].startswith("full")
    cells.append("%d" % study.total("loaded_ops", [key[0]]) if key[0].startswith("full") else "0" if not real else "see full hub")
    cells.append("%d" % sum(d["site_violations"] for d in study.days[key]))
    merges, reclaims = study.pooled(key, "merge_s"), study.pooled(key, "reclaim_s")
    cells.append("%.1f / %.1f" % (quantile(merges, 0.5), quantile(merges, 0.99)) if merges else "-")
    cells.append("%.1f" % quantile(reclaims, 0.99) if reclaims else "-")
    return cells


HEAD = ["topology", "plugged min, mean", "p95", "slowdown", "waiting min", "limited %", "ops per boundary and day", "loaded ops", "site violations",
        "merge s, p50 / p99", "reclaim s, p99"]


def table(study, grid):
    lines = []
    for n in sorted({k[1] for k in study.days if k[2] == grid}):
        lines += ["", "### %d sessions a day, %s" % (n, "no grid limit" if grid == 0 else "grid limit %d kW" % grid), "",
                  "| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
        for topology in TOPOLOGIES:
            if (topology, n, grid) in study.days:
                lines.append("| " + " | ".join([TITLES[topology]] + row(study, (topology, n, grid))) + " |")
    return lines


def validation(study):
    """The fast model beside the full hub on the same days."""
    lines, worst = [], 0.0
    for key in sorted(k for k in study.days if k[0] == "full"):
        fast = {d["seed"]: d for d in study.days[("check",) + key[1:]]}
        for full in sorted(study.days[key], key=lambda d: d["seed"]):
            model = fast[full["seed"]]
            gap = model["mean_min"] / full["mean_min"] - 1
            worst = max(worst, abs(gap))

            def p99(d, field):
                return "%.2f" % quantile(d[field], 0.99) if d[field] else "-"
            lines.append("| %d, %s, seed %d | %d | %.2f / %.2f | %+.2f %% | %.1f / %.1f | %s / %s | %s / %s | %d | %d | %d | %d |" % (
                full["sessions_per_day"], "no limit" if not full["grid_kw"] else "%d kW" % full["grid_kw"], full["seed"], full["visits"],
                full["mean_min"], model["mean_min"], 100 * gap, full["closings_per_boundary"], model["closings_per_boundary"],
                p99(full, "merge_s"), p99(model, "merge_s"), p99(full, "reclaim_s"), p99(model, "reclaim_s"),
                full["hazards"], full["loaded_ops"], full["site_violations"], full["failed"]))
    head = ["day", "sessions", "plugged min, full / fast", "fast against full", "ops per boundary, full / fast", "merge p99 s, full / fast",
            "reclaim p99 s, full / fast", "hazards", "loaded ops", "site violations", "failed sessions"]
    return (["", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)] + lines if lines else []), worst


def costs(study):
    """What fewer operations cost the drivers."""
    lines = ["", "### What an operation is worth: planner.operationCostKJ, 120 sessions a day, no grid limit, %d seeds" % len(study.days[("cost %d" % COSTS[0], 120, 0)]), "",
             "| kJ | plugged min, mean | over the idealised ring, same days | ops per boundary and day |", "|---|---|---|---|"]
    ideal = {d["seed"]: d["mean_min"] for d in study.days[("ideal-ring", 120, 0)]}
    for cost in COSTS:
        days = study.days[("cost %d" % cost, 120, 0)]
        lines.append("| %d | %.2f | %+.1f %% | %.1f |" % (cost, statistics.mean(d["mean_min"] for d in days), 100 * statistics.mean(d["mean_min"] / ideal[d["seed"]] - 1 for d in days),
                                                   statistics.mean(d["closings_per_boundary"] for d in days)))
    return lines


def figures(study):
    def mean(topology):
        key = (topology, 120, 0)
        return round(study.mean(key)[0], 3) if key in study.days else None
    ring, ideal = study.days.get(("ring", 120, 0)), study.days.get(("ideal-ring", 120, 0))
    gap = [r["mean_min"] / i["mean_min"] - 1 for r, i in zip(ring, ideal)]
    reclaims = [s for key in study.days if key[0] in ("ring", "full") for s in study.pooled(key, "reclaim_s")]
    real = ["ring", "ring-guided", "full"]
    _, worst = validation(study)
    return {
        "ring_mean_min_120": mean("ring"), "ideal_mean_min_120": mean("ideal-ring"), "fixed_mean_min_120": mean("fixed"), "matrix_mean_min_120": mean("matrix"),
        "ring_guided_mean_min_120": mean("ring-guided"), "pool_mean_min_120": mean("pool"),
        "ring_over_ideal_percent_120": round(100 * statistics.mean(gap), 3), "ring_over_ideal_half_width_percent_120": round(100 * interval(gap)[1], 3),
        "loaded_ops": study.total("loaded_ops", real), "site_violations": study.total("site_violations", real), "hazards": study.total("hazards", real),
        "failed_sessions": study.total("failed", real), "late_reclaims": study.total("late_reclaims", real),
        "ops_per_boundary_day_120": round(study.mean(("ring", 120, 0), "closings_per_boundary")[0], 2),
        "reclaims": len(reclaims), "reclaim_p99_s": quantile(reclaims, 0.99), "fast_against_full_worst_percent": round(100 * worst, 3),
        "seeds": len(ring),
    }


def plot(study, folder):
    """Mean plugged minutes over sessions a day, one panel per grid limit."""
    if not shutil.which("gnuplot"):
        return
    grids = sorted({k[2] for k in study.days})
    script = "set terminal pngcairo size 1000,430 font ',9'\nset output '%s'\nset key left top font ',8' spacing 0.9\nset xlabel 'sessions a day'\nset ylabel 'plugged in, minutes (mean, 95 %% interval over seeds)'\nset grid\nset multiplot layout 1,%d\n" % (
        os.path.join(folder, "service.png"), len(grids))
    for grid in grids:
        parts, data = [], []
        for i, topology in enumerate(TOPOLOGIES):
            points = [(n,) + study.mean((topology, n, grid)) for n in SESSIONS if (topology, n, grid) in study.days]
            if points:
                parts.append("'-' with yerrorlines lw %s dt %s pt %d title '%s'" % ("2.5" if topology.startswith("ring") else "1", "2" if topology.startswith("ideal") else "1", i + 1, TITLES[topology].replace("*", "")))
                data.append("\n".join("%g %g %g" % p for p in points) + "\ne\n")
        script += "set title '%s'\nset xrange [45:255]\nset yrange [20:%s]\n%splot %s\n%s" % ("no grid limit" if grid == 0 else "grid limit %d kW" % grid, "58" if grid == 0 else "*", "" if grid == grids[0] else "unset key\n", ", ".join(parts), "".join(data))
    subprocess.run(["gnuplot"], input=script, text=True, check=False)


def update_docs(lines, folder):
    """Puts the tables between the marks of docs/service.md and the plot beside it."""
    path = os.path.join(TOP, "docs", "service.md")
    with open(path) as f:
        text = f.read()
    begin, end = "<!-- tables: ./hub bench service --docs -->\n", "<!-- end of tables -->\n"
    head, rest = text.split(begin)
    with open(path, "w") as f:
        f.write(head + begin + "\n".join(lines).strip() + "\n\n" + end + rest.split(end)[1])
    if os.path.exists(os.path.join(folder, "service.png")):
        shutil.copy(os.path.join(folder, "service.png"), os.path.join(TOP, "docs", "service.png"))


def short(study):
    """One cell, two seeds; the full hub for an hour. True when all is well."""
    study.gather(study.add(["full"], [200], [0], 1, ("--from-hour", "15", "--hours", "1")) +
                 study.add(["ring"], [200], [0], 1, ("--from-hour", "15", "--hours", "1"), name="check") +
                 study.add(["fixed", "ideal-ring", "matrix", "pool", "ring"], [120], [0], 2) + study.add(["ring"], [120], [360], 2))
    result = figures(study)
    mean = {t: study.mean((t, 120, 0))[0] for t in ("fixed", "ring", "ideal-ring", "matrix", "pool")}
    real = [d for key, days in study.days.items() if key[0] in ("ring", "check", "full") for d in days]
    facts = [
        ("every session ends as its driver wanted", result["failed_sessions"] == 0 and all(d["done"] == d["visits"] for d in real), "%d failed" % result["failed_sessions"]),
        ("no hazard, no loaded operation, no site-limit violation", result["hazards"] == 0 and result["loaded_ops"] == 0 and result["site_violations"] == 0,
         "%(hazards)d, %(loaded_ops)d, %(site_violations)d" % result),
        ("the ring serves at least as well as fixed allocation", mean["ring"] <= mean["fixed"], "%.2f and %.2f min" % (mean["ring"], mean["fixed"])),
        # two seeds tell coarsely: the study's own figures are 3 % and 20 operations
        ("the ring is within 5 %% of the idealised ring", mean["ring"] <= 1.05 * mean["ideal-ring"], "%.2f and %.2f min" % (mean["ring"], mean["ideal-ring"])),
        ("nobody beats the ideal pool", mean["pool"] <= min(mean.values()) + 0.01, str(mean)),
        ("lent slots are home before the cable check", result["late_reclaims"] == 0, "%d late" % result["late_reclaims"]),
        ("reclaim p99 below 5 s", result["reclaims"] > 0 and result["reclaim_p99_s"] < 5, "%s s of %d" % (result["reclaim_p99_s"], result["reclaims"])),
        ("below 25 operations per boundary and day", 0 < result["ops_per_boundary_day_120"] < 25, "%.1f" % result["ops_per_boundary_day_120"]),
        ("the fast model agrees with the full hub", result["fast_against_full_worst_percent"] < 100 * MARGIN, "%.2f %%" % result["fast_against_full_worst_percent"]),
    ]
    for name, ok, detail in facts:
        name = name.replace("%%", "%")
        print("%s service: %s" % ("ok" if ok else "not ok", name) + ("" if ok else " (%s)" % detail), flush=True)
    return result, all(ok for _, ok, _ in facts)


def whole(study, args):
    waiting = []
    for grid, seeds in ((0, args.full_seeds), (360, (args.full_seeds + 1) // 2)):
        if seeds:
            waiting += study.add(["full"], [120], [grid], seeds) + study.add(["ring"], [120], [grid], seeds, name="check")
    if args.full_seeds:
        waiting += study.add(["ring"], [120], [0], 1, ("--every-cycle",), name="every-cycle")
    for cost in COSTS:
        waiting += study.add(["ring"], [120], [0], min(args.seeds, 10), ("--operation-cost-kj", str(cost)), name="cost %d" % cost)
    study.gather(waiting + study.add(TOPOLOGIES, SESSIONS, GRIDS, args.seeds))
    lines = []
    for grid in GRIDS:
        lines += table(study, grid)
    lines += costs(study)
    checks, _ = validation(study)
    if checks:
        lines += ["", "### The fast model beside the full hub, same days"] + checks
    result = figures(study)
    if args.full_seeds:
        every = study.mean(("every-cycle", 120, 0))[0]
        calm = next(d["mean_min"] for d in study.days[("check", 120, 0)] if d["seed"] == 1)
        result["calm_against_every_cycle_percent"] = round(100 * (calm / every - 1), 4)
        lines += ["", "Planner called every 50 ms throughout instead of every 2 s while only batteries fill, same day: %.3f and %.3f min, %+.3f %%." % (
            every, calm, result["calm_against_every_cycle_percent"])]
    print("\n".join(lines))
    plot(study, os.path.dirname(args.json))
    with open(os.path.join(os.path.dirname(args.json), "service.md"), "w") as f:
        f.write("\n".join(lines).strip() + "\n")
    if args.docs:
        update_docs(lines, os.path.dirname(args.json))
    return result


def main():
    parser = argparse.ArgumentParser(prog="./hub bench service")
    parser.add_argument("--bin", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--json", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--seeds", type=int, default=20, help="days per cell")
    parser.add_argument("--full-seeds", type=int, default=2, help="days at 120 sessions also through the full hub, and half as many with a grid limit; 0: none")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--keep", metavar="FOLDER", help="keep finished days there, so that an interrupted study goes on where it was")
    parser.add_argument("--docs", action="store_true", help="put the tables into docs/service.md and the plot beside it")
    parser.add_argument("--short", action="store_true", help="the part that the tests run")
    args = parser.parse_args()
    study = Study(args.bin, args.jobs, args.keep)
    result, well = short(study) if args.short else (whole(study, args), True)
    entries = [{"topology": key[0], "sessions_per_day": key[1], "grid_kw": key[2], "days": len(days), "mean_min": round(study.mean(key)[0], 3),
                "half_width_min": round(study.mean(key)[1], 3), **{f: round(study.mean(key, f)[0], 4) for f in (
                    "p95_min", "slowdown", "limited", "wait_mean_min", "wait_p95_min", "waiting", "closings_per_boundary", "site_peak_kw")}}
               for key, days in sorted(study.days.items())]
    with open(args.json, "w") as f:
        json.dump(dict(result, entries=entries), f, indent=1)
        f.write("\n")
    if not args.short:
        for name, value in result.items():
            print("%-42s %s" % (name, value))
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
