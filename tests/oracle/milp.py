#!/usr/bin/env python3
"""The partition of the ring as a mixed-integer program, solved by CBC or GLPK: a second oracle beside brute force.

One binary variable per (arc, owner) that the hard rules permit, each slot covered exactly once. The objective is lexicographic, so it is solved in
stages, each fixed by a constraint before the next: guns served, better groups first (one stage, weights by mixed radix);
then, group by group, for k = 1, 2, .. the largest sum of the k smallest powers, which is leximin (k*t - sum of d_i with d_i >= t - p_i);
then the least switching with the list of powers, cut at the site limit's levels, fixed by counting. TOTAL: the sum of powers instead of leximin.
Rules and capacities are written here a third time, from the header's words.

Prints `ok` or `not ok` per group of rings. `--json FILE` takes the counts and times; `--solver cbc|glpk`.
"""
import argparse
import concurrent.futures
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

FREE, KEEP_OPEN, KEEP_CLOSED = 0, 1, 2
LEXIMIN, TOTAL, FIRST_COME, STATIC = 0, 1, 2, 3
LIMIT_S = 60
UNFINISHED = "not finished in %d s" % LIMIT_S  # neither agreement nor mismatch: reported, and bounded by --unfinished-max


class Ring:
    """An instance, and every (arc, owner) that is permitted in it."""

    def __init__(self, data):
        self.data, self.slot = data, data["slots"]
        self.n, self.mode = len(data["slots"]), data["mode"]
        self.arc_max = max(1, data["arc_max"])
        key = self.group_key
        keys = sorted({key(s) for s in range(self.n) if self.slot[s]["wants"]})
        self.group = {s: keys.index(key(s)) for s in range(self.n) if self.slot[s]["wants"]}
        self.groups = len(keys)
        self.columns = [c for first in range(self.n) for length in range(1, self.n + 1) for c in self.arcs(first, length)]

    def group_key(self, s):
        slot = self.slot[s]
        return (slot["order"], slot["class"]) if self.mode == FIRST_COME else (slot["class"],)

    def rank(self, s):
        slot = self.slot[s]
        return (0 if slot["demand_w"] > 0 else 1, *self.group_key(s), slot["order"])

    def module_w(self, module, mv):
        max_w, max_ma, max_mv, min_mv = module
        return max(0, min(max_w, max_ma * mv // 1000000)) if min_mv <= mv <= max_mv and mv > 0 else 0

    def own_w(self, s, mv):
        return sum(self.module_w(m, mv) for m in self.slot[s]["modules"])

    def beyond(self, s, steps, direction, mv):
        """What `steps` slots further on can push into slot s."""
        if steps == 0:
            return 0
        edge = self.slot[s if direction > 0 else (s - 1) % self.n]["edge_ma"]
        after = (s + direction) % self.n
        return min(max(0, edge * mv // 1000000), self.own_w(after, mv) + self.beyond(after, steps - 1, direction, mv))

    def value(self, first, length, gun):
        inside = (gun - first) % self.n
        mv = self.slot[gun]["mv"]
        flow = self.own_w(gun, mv) + self.beyond(gun, inside, -1, mv) + self.beyond(gun, length - 1 - inside, 1, mv)
        return max(0, min(flow, self.slot[gun]["demand_w"])) if mv > 0 else 0

    def piece(self, s):
        """Slots that kept edges join to s."""
        slots, at = [s], s
        while self.slot[at]["edge"] == KEEP_CLOSED and (at + 1) % self.n != s:
            at = (at + 1) % self.n
            slots.append(at)
        at = s
        while self.slot[(at - 1) % self.n]["edge"] == KEEP_CLOSED and (at - 1) % self.n not in slots:
            at = (at - 1) % self.n
            slots.append(at)
        return slots

    def may_own(self, gun, slots):
        if not self.slot[gun]["wants"] or len(slots) > self.arc_max or any(self.slot[s]["blocked"] for s in slots if s != gun):
            return False
        rivals = [] if self.slot[gun]["blocked"] else [s for s in self.piece(gun) if self.slot[s]["wants"]]
        return all(self.rank(s) >= self.rank(gun) for s in rivals)

    def arcs(self, first, length):
        slots = [(first + k) % self.n for k in range(length)]
        inner, before, behind = slots[:-1], (first - 1) % self.n, slots[-1]
        if self.n > 1 and KEEP_CLOSED in (self.slot[before]["edge"], self.slot[behind]["edge"]):
            return
        if any(self.slot[e]["edge"] == KEEP_OPEN or (self.slot[e]["edge"] == FREE and self.mode == STATIC) for e in inner):
            return
        cost = sum(self.slot[e]["cost"] for e in inner if self.slot[e]["edge"] == FREE and not self.slot[e]["was_closed"])
        if self.slot[behind]["edge"] == FREE and self.slot[behind]["was_closed"]:
            cost += self.slot[behind]["cost"]
        if all(self.slot[e]["edge"] == KEEP_CLOSED for e in inner):
            yield {"slots": slots, "gun": None, "value": 0, "cost": cost}
        for gun in slots:
            if self.may_own(gun, slots):
                yield {"slots": slots, "gun": gun, "value": self.value(first, length, gun), "cost": cost}

    def score(self, chosen, cut=None):
        """Per group the ascending powers of those served."""
        lists = [[] for _ in range(self.groups)]
        for c in chosen:
            if c["gun"] is not None and c["value"] > 0:
                g = self.group[c["gun"]]
                lists[g].append(min(c["value"], cut[g]) if cut else c["value"])
        return [sorted(powers) for powers in lists]

    def cuts(self, lists):
        """The site limit's level per group."""
        left, level = max(0, self.data["limit_w"]), []
        for powers in lists:
            rest = list(powers)
            cut = float("inf")
            while rest:
                if rest[0] * len(rest) > left:
                    cut, left = left // len(rest), 0
                    break
                left -= rest.pop(0)
            level.append(cut)
        return level

    def answered(self):
        """The solver's answer as columns; raises when it breaks a rule."""
        answer = self.data["answer"]
        opened = [s for s in range(self.n) if not answer[s][0]]
        if self.n == 1:
            opened = [0]
        chosen = []
        for k, edge in enumerate(opened):
            first = (edge + 1) % self.n
            length = (opened[(k + 1) % len(opened)] - edge - 1) % self.n + 1
            owner = answer[first][1]
            wanted = [(first + i) % self.n for i in range(length)]
            match = [c for c in self.columns if c["slots"] == wanted and c["gun"] == (owner if owner >= 0 else None)]
            if len(match) != 1:
                raise ValueError("arc %s of %s is not permitted" % (wanted, owner))
            chosen.append(match[0])
        return chosen


class Milp:
    """Stages of one ring through an external solver."""

    def __init__(self, ring, solver, folder, startup_s):
        self.ring, self.solver, self.folder, self.startup_s = ring, solver, folder, startup_s
        self.rows, self.free, self.solves, self.time_s = [], [], 0, 0.0
        for s in range(ring.n):
            self.rows.append((self.terms(lambda c, s=s: s in c["slots"]), "=", 1))

    def terms(self, weight):
        return [(w, "z%d" % i) for i, c in enumerate(self.ring.columns) for w in [weight(c)] if w]

    def solve(self, terms, maximise):
        path, out = os.path.join(self.folder, "p.lp"), os.path.join(self.folder, "p.sol")

        def text(parts):
            lines, line = [], ""
            for weight, name in parts or [(0, "z0")]:
                line += " %s %s %s" % ("+" if weight >= 0 else "-", number(abs(weight)), name)
                if len(line) > 200:
                    lines.append(line)
                    line = ""
            return "\n".join(lines + [line])

        with open(path, "w") as f:
            f.write("%s\n obj:%s\nSubject To\n" % ("Maximize" if maximise else "Minimize", text(terms)))
            for i, (parts, sense, right) in enumerate(self.rows):
                f.write(" r%d:%s %s %s\n" % (i, text(parts), sense, number(right)))
            f.write("Bounds\n" + "".join(" %s >= 0\n" % name for name in self.free))
            f.write("Binary\n" + "\n".join(" z%d" % i for i in range(len(self.ring.columns))) + "\nEnd\n")
        if os.path.exists(out):
            os.unlink(out)
        command = {"cbc": ["cbc", path, "ratioGap", "0", "allowableGap", "0", "solve", "solution", out],
                   "glpk": ["glpsol", "--lp", path, "--cuts", "-w", out]}[self.solver]
        start = time.monotonic()
        got = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
        self.time_s += max(0.0, time.monotonic() - start - self.startup_s)
        self.solves += 1
        return self.chosen(out, got)

    def chosen(self, out, got):
        if not os.path.exists(out):
            raise ValueError("%s gave no solution: %s" % (self.solver, (got.stdout + got.stderr)[-400:]))
        with open(out) as f:
            lines = f.read().split("\n")
        picked = []
        if self.solver == "cbc":
            if "optimal" not in lines[0].lower():
                raise ValueError("cbc: " + lines[0])
            for line in lines[1:]:
                m = re.match(r"\s*(?:\*\*)?\s*\d+\s+z(\d+)\s+(\S+)", line)
                if m and float(m.group(2)) > 0.5:
                    picked.append(int(m.group(1)))
        else:
            if not any(re.match(r"s mip \d+ \d+ o ", line) for line in lines):
                raise ValueError("glpk found no optimum")
            names = self.order_of_columns()
            for line in lines:
                m = re.match(r"j (\d+) (\S+)", line)
                if m and names[int(m.group(1)) - 1].startswith("z") and float(m.group(2)) > 0.5:
                    picked.append(int(names[int(m.group(1)) - 1][1:]))
        covered = sorted(s for i in picked for s in self.ring.columns[i]["slots"])
        if covered != list(range(self.ring.n)):
            raise ValueError("%s: the slots are not covered once each" % self.solver)
        return [self.ring.columns[i] for i in picked]

    def order_of_columns(self):
        """glpsol numbers columns as they first appear in the file."""
        with open(os.path.join(self.folder, "p.lp")) as f:
            body = f.read().split("Binary")[0]
        return list(dict.fromkeys(re.findall(r"\b[ztd]\d+(?:_\d+)?\b", body)))

    def served(self, group):
        return lambda c: int(c["gun"] is not None and c["value"] > 0 and self.ring.group[c["gun"]] == group)

    def kilowatts(self, gun):
        return lambda c: c["value"] / 1000 if c["gun"] == gun else 0

    def stage_served(self):
        ring, weight, weights = self.ring, 1, {}
        for g in reversed(range(ring.groups)):
            weights[g] = weight
            weight *= 1 + sum(1 for s in ring.group if ring.group[s] == g)
        best = self.solve(self.terms(lambda c: weights[ring.group[c["gun"]]] if c["gun"] is not None and c["value"] > 0 else 0), True)
        for g, powers in enumerate(ring.score(best)):
            self.rows.append((self.terms(self.served(g)), "=", len(powers)))
        return best

    def stage_leximin(self, best, group):
        guns = [s for s in self.ring.group if self.ring.group[s] == group]
        unserved = len(guns) - len(self.ring.score(best)[group])
        for k in range(unserved + 1, len(guns) + 1):
            t = "t%d_%d" % (group, k)
            names = {gun: "d%d_%d" % (1000 * group + k, gun) for gun in guns}
            self.free += [t, *names.values()]
            for gun in guns:
                self.rows.append(([(1, names[gun]), (-1, t)] + self.terms(self.kilowatts(gun)), ">=", 0))
            objective = [(k, t)] + [(-1, name) for name in names.values()]
            best = self.solve(objective, True)
            powers = [0] * unserved + self.ring.score(best)[group]
            self.rows.append((objective, ">=", sum(powers[:k]) / 1000 - 0.0004))
        return best

    def stage_total(self, best):
        del best
        power = self.terms(lambda c: c["value"] / 1000)
        best = self.solve(power, True)
        self.rows.append((power, ">=", sum(c["value"] for c in best) / 1000 - 0.0004))
        return best

    def stage_switching(self, cut, lists):
        ring = self.ring
        if ring.mode != TOTAL:
            self.rows, self.free = self.rows[:ring.n + ring.groups], [] # slots covered, guns served; the powers by count
            for g, powers in enumerate(lists):
                for level in sorted(set(powers)):
                    self.rows.append((self.terms(lambda c, g=g, level=level: int(self.served(g)(c) and min(c["value"], cut[g]) >= level)),
                                      "=", sum(1 for p in powers if p >= level)))
        return self.solve(self.terms(lambda c: c["cost"]), False)

    def run(self):
        ring = self.ring
        best = self.stage_served()
        if ring.mode == TOTAL:
            best = self.stage_total(best)
            cut = [float("inf")] * ring.groups
        else:
            for g in range(ring.groups):
                best = self.stage_leximin(best, g)
            cut = ring.cuts(ring.score(best))
        lists = ring.score(best, cut)
        best = self.stage_switching(cut, lists)
        if ring.mode != TOTAL and ring.score(best, cut) != lists:
            raise ValueError("%s: the last stage lost powers" % self.solver)
        return ring.score(best, cut), cut, sum(c["cost"] for c in best)


def number(x):
    return "%d" % x if float(x).is_integer() else "%.6f" % x


def compare(data, solver, startup_s):
    """(None or what differs, stages, seconds of the MILP solver)"""
    ring = Ring(data)
    if ring.n > 1 and all(s["edge"] == KEEP_CLOSED for s in ring.slot):
        wrong = None if all(a[1] < 0 and a[2] == 0 for a in data["answer"]) else "somebody is served on a ring without an open edge"
        return wrong, 0, 0.0
    with tempfile.TemporaryDirectory(prefix="ringmain-milp-") as folder:
        milp = Milp(ring, solver, folder, startup_s)
        try:
            ours = ring.answered()
            lists, cut, cost = milp.run()
        except subprocess.TimeoutExpired:
            return UNFINISHED, 0, 0.0
        except ValueError as e:
            return str(e), milp.solves, milp.time_s
    mine = ring.score(ours)
    if ring.mode == TOTAL:
        same = [len(p) for p in mine] == [len(p) for p in lists] and sum(map(sum, mine)) == sum(map(sum, lists))
        powers_right = sum(a[2] for a in data["answer"]) <= max(0, data["limit_w"])
    else:
        same = ring.score(ours, cut) == lists
        reported = [[] for _ in range(ring.groups)]
        for c in ours:
            if c["gun"] is not None and c["value"] > 0:
                reported[ring.group[c["gun"]]].append(data["answer"][c["gun"]][2])
        powers_right = [sorted(p) for p in reported] == lists
    if not same or not powers_right:
        return "powers differ: ours %s, theirs %s" % (mine, lists), milp.solves, milp.time_s
    if sum(c["cost"] for c in ours) != cost or data["switching_cost"] != cost:
        return "switching cost differs: ours %d, theirs %d" % (data["switching_cost"], cost), milp.solves, milp.time_s
    return None, milp.solves, milp.time_s


def startup(solver):
    """What starting the solver on next to nothing takes: not counted as its time."""
    with tempfile.TemporaryDirectory(prefix="ringmain-milp-") as folder:
        path = os.path.join(folder, "p.lp")
        with open(path, "w") as f:
            f.write("Minimize\n obj: z0\nSubject To\n r0: z0 = 1\nBinary\n z0\nEnd\n")
        command = {"cbc": ["cbc", path, "solve", "solution", path + ".sol"], "glpk": ["glpsol", "--lp", path, "-w", path + ".sol"]}[solver]
        times = []
        for _ in range(9):
            start = time.monotonic()
            subprocess.run(command, capture_output=True, check=True)
            times.append(time.monotonic() - start)
        return statistics.median(times)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dump", required=True, help="ringmain-partition-dump")
    parser.add_argument("--solver", choices=["cbc", "glpk"], default="cbc")
    parser.add_argument("--instances", type=int, default=210)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--slots", type=int, default=12)
    parser.add_argument("--jobs", type=int, default=2, help="1 when times matter")
    parser.add_argument("--unfinished-max", type=int, default=0, help="rings that the solver may fail to finish")
    parser.add_argument("--json")
    args = parser.parse_args()
    dump = subprocess.run([args.dump, str(args.instances), str(args.seed), str(args.slots)], capture_output=True, text=True, check=True)
    rings = [json.loads(line) for line in dump.stdout.splitlines()]
    startup_s = startup(args.solver)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        results = list(pool.map(lambda data: compare(data, args.solver, startup_s), rings))
    failed = 0
    for kind in ("usual", "odd", "hard"):
        of_kind = [(i, r[0]) for i, (r, data) in enumerate(zip(results, rings)) if data["kind"] == kind]
        bad = [(i, wrong) for i, wrong in of_kind if wrong]
        mismatches = sum(wrong != UNFINISHED for _, wrong in bad)
        failed += mismatches
        for i, wrong in bad[:10]:
            print("  ring %d (seed %d): %s" % (i, args.seed + i, wrong))
        print("%s milp: %s agrees on %d of %d %s rings of %d slots" % ("not ok" if mismatches else "ok", args.solver, len(of_kind) - len(bad), len(of_kind), kind, args.slots), flush=True)
    unfinished = sum(r[0] == UNFINISHED for r in results)
    if unfinished > args.unfinished_max:
        print("not ok milp: %s left %d rings unfinished" % (args.solver, unfinished))
    timed = [(r[2], data["time_us"] * 1e-6) for r, data in zip(results, rings) if r[1]]
    summary = {"solver": args.solver, "instances": len(rings), "mismatches": failed, "unfinished": unfinished, "slots": args.slots, "solves": sum(r[1] for r in results),
               "startup_ms": round(startup_s * 1000, 2), "milp_median_ms": round(statistics.median(t for t, _ in timed) * 1000, 2),
               "ours_median_us": round(statistics.median(o for _, o in timed) * 1e6, 2),
               "time_ratio": round(sum(t for t, _ in timed) / sum(o for _, o in timed)),
               "time_ratio_median": round(statistics.median(t / o for t, o in timed))}
    print("%(solver)s: %(instances)d rings, %(mismatches)d mismatches, %(unfinished)d unfinished; median %(milp_median_ms).1f ms beside our %(ours_median_us).1f us; all together %(time_ratio)d times our time" % summary)
    if args.json:
        with open(args.json, "w") as f:
            json.dump(summary, f, indent=2)
            f.write("\n")
    sys.exit(1 if failed or unfinished > args.unfinished_max else 0)


if __name__ == "__main__":
    main()
