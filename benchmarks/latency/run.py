#!/usr/bin/env python3
"""Wake-up latency of the planner's thread beside cyclictest: same priority, period and CPU, in the same run.

Places: `host` (this machine), `guest` (PREEMPT_RT kernel in QEMU, two CPUs, one isolated), `virtual` (the same kernel in virtual
time, one CPU: figures are absolute there, they measure path length and not caches or buses). Loads: idle, stress.
cyclictest wakes 7.5 ms after each 50 ms boundary, the planner 2.5 ms after: neither stands behind the other or the guard's tick.
The guard, which runs on the same CPU at a higher priority, puts off steps that can wait around the planner's release and not around
cyclictest's. So there are two references: cyclictest beside ringmain-rt, and cyclictest alone, ringmain-rt stopped, under the same
load on the same CPU right after. The ratios are against the harder of the two, the one with the lower latency.
"""
import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
PERIOD_US = 50000
HIST_US = 100000
VIRTUAL_HIST_US = 2000
HEAPCHECK = "ringmain-rt-heapcheck"  # ringmain-rt with the heap counted; otherwise the program as it ships


def quantile(buckets, q):
    """buckets: sorted [(value_us, count)]; the value below which the share q lies."""
    total = sum(c for _, c in buckets)
    if total == 0:
        return None
    rank, seen = q * total, 0
    for value, count in buckets:
        seen += count
        if seen >= rank:
            return value
    return buckets[-1][0]


def parse_cyclictest(text):
    """[(us, count)] and the maximum of cyclictest -h output."""
    buckets = [(int(us), int(n)) for us, n in re.findall(r"^(\d{6}) (\d+)\s*$", text, re.M) if int(n) > 0]
    longest = re.search(r"# Max Latencies: (\d+)", text)
    if not longest or not buckets:
        raise RuntimeError("cyclictest gave no histogram: %s" % text[-400:])
    overflow = re.search(r"# Histogram Overflows: (\d+)", text)
    return buckets, int(longest.group(1)), int(overflow.group(1)) if overflow else 0


def planner_delta(before, after):
    """Histogram of what happened between two `ringmainctl latency --json`: bucket ends in us."""
    old = {b["low_ns"]: b["count"] for b in before["planner_wake"]["buckets"]}
    out = []
    for b in after["planner_wake"]["buckets"]:
        n = b["count"] - old.get(b["low_ns"], 0)
        if n > 0:
            low = b["low_ns"]
            width = 1 if low < 32 else 1 << (low.bit_length() - 5)
            out.append(((low + width / 2) / 1000.0, n))
    return out


def start_load(kind, cpus):
    """stress-ng (or, in virtual time, hackbench and friends) on the housekeeping CPUs; returns what to stop."""
    pin = ["taskset", "-c", ",".join(map(str, cpus))] if cpus else []
    if kind == "idle":
        return []
    if kind == "stress":
        commands = [pin + ["stress-ng", "--cpu", "1", "--hdd", "1", "--hdd-bytes", "16M", "--switch", "1", "--timer", "1", "--quiet", "--temp-path", "/tmp"]]
    else:
        commands = [pin + ["hackbench", "-l", "100000000", "-g", "2"],
                    ["sh", "-c", "while :; do dd if=/dev/zero of=/tmp/load bs=64k count=64 conv=fsync 2>/dev/null; find /proc /sys -type f >/dev/null 2>&1; done"],
                    ["sh", "-c", "while :; do /bin/true; done"]]
    return [subprocess.Popen(c, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) for c in commands]


def stop_load(load):
    for process in load:
        try:
            os.killpg(process.pid, 9)
        except OSError:
            pass
        process.wait()


def cyclictest(cpu, seconds, hist_us):
    cycles = int(seconds * 1e6 / PERIOD_US)
    return subprocess.Popen(["cyclictest", "-p", "80", "-i", str(PERIOD_US), "-a", str(cpu), "-t", "1", "-m", "-q", "-h", str(hist_us),
                             "-l", str(cycles), "--secaligned=7500", "--policy=fifo"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result_of(cyclic, seconds):
    """Its histogram, maximum and overflows."""
    output, complaint = cyclic.communicate(timeout=seconds * 20 + 120)
    if cyclic.returncode:
        raise RuntimeError("cyclictest: %s" % complaint.strip())
    return parse_cyclictest(output)


def figures(name, buckets, longest):
    """p99.9 of fewer than a thousand samples is their maximum: the count stands beside it."""
    return {name + "_samples": sum(c for _, c in buckets), name + "_p50_us": quantile(buckets, 0.5), name + "_p99_us": quantile(buckets, 0.99),
            name + "_p999_us": quantile(buckets, 0.999), name + "_max_us": longest, "histogram_%s_us" % name: buckets}


def compare(entry):
    """Ratios to cyclictest beside and alone, and to the harder of the two where it has as many samples (all but 2 %).
    cyclictest counts whole microseconds, rounded down: compared on that footing."""
    def ratio(of, to):
        return round(max(1.0, int(entry["planner_" + of])) / max(1.0, entry[to + of]), 3)
    for short, of in (("p999", "p999_us"), ("max", "max_us")):
        beside, alone = ratio(of, "cyclictest_"), ratio(of, "alone_")
        enough = entry["alone_samples"] >= 0.98 * entry["cyclictest_samples"]
        entry[short + "_ratio_beside"], entry[short + "_ratio_alone"] = beside, alone
        entry[short + "_ratio"] = max(beside, alone) if enough else beside
        entry[short + "_reference"] = "alone" if enough and alone > beside else "beside"


def measure(hub_class, bin_dir, out, config, transport, rt_args, cpu, housekeeping, seconds, load_kind, guns, hist_us):
    """One entry: hub with charging guns, the load, cyclictest beside the planner."""
    hub = hub_class(out, bin_dir, config, plant_args=["--handshake", "fast"], rt_args=rt_args)
    if transport:
        for child in (hub.plant, hub.rt):
            child.command[child.command.index("--transport") + 1] = transport
    hub.rt.command[0] = os.path.join(bin_dir, HEAPCHECK)
    load, cyclic = [], None
    try:
        hub.start()
        hub.wait_for(lambda: subprocess.run([os.path.join(bin_dir, "ringmainctl"), "--shm", hub.shm, "status"], capture_output=True).returncode == 0,
                     60, "ringmain-rt", hub.rt)
        for gun in range(1, guns + 1):
            hub.plant_ask(cmd="plug", gun=gun, soc=15, target_soc=95)
        end = time.monotonic() + 240
        charging = 0
        while charging < guns and time.monotonic() < end:
            time.sleep(0.5)
            charging = sum(g["state"] == "charging" for g in hub.status()["guns"])
        if charging < guns:
            raise RuntimeError("%d of %d guns charge after 240 s\n%s" % (charging, guns, hub.rt.tail()))
        load = start_load(load_kind, housekeeping)
        time.sleep(2)
        before = json.loads(hub.ctl("latency", "--json"))
        # One window for both: printing the histogram takes a slow machine longer than measuring it.
        cyclic = cyclictest(cpu, seconds, hist_us)
        time.sleep(seconds)
        after = json.loads(hub.ctl("latency", "--json"))
        status = hub.status()
        report = hub.plant_ask(cmd="report")
        theirs, their_max, beyond = result_of(cyclic, seconds)
        hub.rt.restart = False  # the rest of the hub stays, and the load
        os.kill(hub.rt.pid, signal.SIGTERM)
        hub.wait_for(lambda: hub.rt.pid is None, 60, "the end of ringmain-rt")
        time.sleep(1)
        cyclic = cyclictest(cpu, seconds, hist_us)
        alone, alone_max, alone_beyond = result_of(cyclic, seconds)
    finally:
        if cyclic is not None and cyclic.poll() is None:
            cyclic.kill()
            cyclic.wait()
        stop_load(load)
        hub.stop()
    ours = planner_delta(before, after)
    ours_max = max(v for v, _ in ours)
    if after["planner_wake"]["max_ns"] > before["planner_wake"]["max_ns"]:
        ours_max = after["planner_wake"]["max_ns"] / 1000.0
    overruns = after["planner_overruns"] - before["planner_overruns"]
    # a delay of cyclictest beyond its period is an overrun of the machine, not of ours
    theirs_late = sum(c for us, c in theirs if us >= PERIOD_US) + beyond
    entry = {
        "load": load_kind, "seconds": seconds, "guns_charging": charging, "cpu": cpu,
        **figures("planner", ours, ours_max), **figures("cyclictest", theirs, their_max), **figures("alone", alone, alone_max),
        "guard_wake_p999_us": after["guard_wake"]["p999_ns"] / 1000.0, "guard_wake_max_us": after["guard_wake"]["max_ns"] / 1000.0,
        "overruns": overruns, "cyclictest_overruns": theirs_late,
        "alone_overruns": sum(c for us, c in alone if us >= PERIOD_US) + alone_beyond, "page_faults": status["page_faults"],
        "heap_calls": after["heap_calls"], "hazards": report["hazards"],
    }
    compare(entry)
    return entry


def in_guest(args):
    """The same measurement inside the guest; its entry goes back as a file."""
    sys.path.insert(0, os.path.join(TOP, "tests", "rt-guest"))
    import guest as machine
    subprocess.run(["./hub", "install", "rt"], cwd=TOP, check=True)
    virtual = args.where == "virtual"
    programs = machine.python_files("json socket subprocess threading ctypes argparse random signal time shutil traceback re".split())
    programs["/opt/ip"] = "/bin/ip"
    for name in ("ringmain-rt", HEAPCHECK, "ringmain-nrt", "ringmainctl", "ringmain-plant"):
        programs["/opt/bin/" + name] = os.path.join(args.bin, name)
    for name in ("cyclictest", "hackbench", "stress-ng", "taskset"):
        programs["/usr/bin/" + name] = shutil.which(name)
    cpu, guns = (0, 2) if virtual else (1, 4)
    files = {"/opt/ringmain/configs/hub.json": guest_config(virtual, cpu)}
    for path in ("tests/plant/run.py", "benchmarks/latency/run.py"):
        with open(os.path.join(TOP, path)) as f:
            files["/opt/ringmain/" + path] = f.read()
    names = ["plc0", "mod0"]
    script = "\n".join(["/opt/ip link add %s type vcan && /opt/ip link set %s up" % (n, n) for n in names] + [
        "for l in %s; do" % " ".join(args.loads),
        "python3 /opt/ringmain/benchmarks/latency/run.py --bin /opt/bin --where inside --loads $l --seconds %g --cpu %d --guns %d --histogram %d --json /tmp/$l.json > /tmp/$l.log 2>&1"
        % (args.seconds, cpu, guns, VIRTUAL_HIST_US if virtual else HIST_US),
        'if [ -s /tmp/$l.json ]; then pass "measured $l"; keep $l.json /tmp/$l.json; else fail "measuring $l: $(tail -c 600 /tmp/$l.log | tr "\\n" " ")"; fi',
        "done"])
    append = "" if virtual else "isolcpus=managed_irq,domain,1 nohz_full=1 rcu_nocbs=1 irqaffinity=0"
    g = machine.Guest("latency-" + args.where, script, programs, files, append=append, virtual_time=virtual,
                      qemu=["-device", "i6300esb"], memory=768)
    # per load: to boot and to charge, and both phases; a guest in virtual time takes several seconds for each of its own
    timeout = args.timeout or 1200 + len(args.loads) * args.seconds * 2 * (8 if virtual else 1.5)
    if not g.run(timeout=timeout):
        sys.exit("latency: the guest failed: %s" % g.failed)
    entries = []
    for name in sorted(g.kept):
        entry = json.loads(g.kept[name])["entries"][0]
        entry["where"] = args.where
        entry["load"] = name[:-5]
        entries.append(entry)
    return entries


def guest_config(virtual, cpu):
    """A hub small enough for software emulation: four guns (two in virtual time) on one PLC bus and one module bus."""
    guns = 2 if virtual else 4
    return json.dumps({
        "chargePoint": {"id": "guest"},
        "plc": {"contactorFrame": "gcmc", "interfaces": [{"name": "plc0", "bitrateKbps": 250}]},
        "modules": {"protocol": "infypower", "interfaces": [{"name": "mod0", "bitrateKbps": 125}]},
        "connectors": [{"id": i + 1, "plcId": i, "canInterface": "plc0"} for i in range(guns)],
        "modulePowerKW": 30, "gridLimitKW": 60 * guns, "failSafeLimitKW": 30 * guns,
        "rt": {"guardCpu": cpu, "plannerCpu": cpu, "watchdogTimeoutSeconds": 60},  # programs do not inherit an isolated CPU
    })


def plot(entries, folder):
    """CSV of every histogram, and a picture of them when gnuplot is there."""
    os.makedirs(folder, exist_ok=True)
    curves = []
    for e in entries:
        for who in ("planner", "cyclictest", "alone"):
            name = "%s-%s-%s" % (e["where"], e["load"], who)
            path = os.path.join(folder, "latency-%s.csv" % name)
            with open(path, "w") as f:
                f.write("latency_us,count\n")
                for us, n in e["histogram_%s_us" % who]:
                    f.write("%g,%d\n" % (us, n))
            curves.append((path, name))
    if shutil.which("gnuplot"):
        places = sorted({e["where"] for e in entries})
        script = "set datafile separator ','\nset terminal pngcairo size 1100,%d\nset output '%s'\nset logscale xy\nset xlabel 'wake-up latency, us'\nset ylabel 'cycles'\nset key outside\nset multiplot layout %d,1\n" % (
            420 * len(places), os.path.join(folder, "latency.png"), len(places))
        for place in places:
            script += "set title '%s'\nplot " % place + ", ".join("'%s' skip 1 using ($1+1):2 with histeps lw 2 title '%s'" % (p, n) for p, n in curves if n.startswith(place + "-")) + "\n"
        subprocess.run(["gnuplot"], input=script, text=True, check=False)


def print_table(entries):
    """A line per thread, the count of samples beside its quantiles."""
    print("%-8s %-7s %-20s %8s %9s %9s %9s %7s %7s %9s" % ("where", "load", "thread", "samples", "p50 us", "p99.9 us", "max us", "p99.9 x", "max x", "overruns"))
    for e in entries:
        rows = (("planner", "planner", "", "", e["overruns"]),
                ("cyclictest", "cyclictest beside", e["p999_ratio_beside"], e["max_ratio_beside"], e["cyclictest_overruns"]),
                ("alone", "cyclictest alone", e["p999_ratio_alone"], e["max_ratio_alone"], e["alone_overruns"]))
        for key, words, p999, longest, overruns in rows:
            print("%-8s %-7s %-20s %8d %9.1f %8.1f%s %9.1f %7s %7s %9d" % (
                e["where"] if key == "planner" else "", e["load"] if key == "planner" else "", words, e[key + "_samples"], e[key + "_p50_us"],
                e[key + "_p999_us"], " " if e[key + "_samples"] >= 1000 else "*", e[key + "_max_us"],
                p999 and "%.2f" % p999, longest and "%.2f" % longest, overruns))
    print("x: the planner's figure as a multiple of that line's. The ratios count against the lower of the two references: %s." % ", ".join(
        "%s %s %.2f and %.2f" % (e["where"], e["load"], e["p999_ratio"], e["max_ratio"]) for e in entries))
    if any(e["planner_samples"] < 1000 for e in entries):
        print("*: of fewer than 1000 samples p99.9 is the maximum.")
    print("page faults %d, heap calls %d" % (sum(e["page_faults"] for e in entries), sum(e["heap_calls"] for e in entries)))


def main():
    parser = argparse.ArgumentParser(prog="./hub bench latency")
    parser.add_argument("--bin", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--json", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--where", default="all", choices=["host", "guest", "virtual", "inside", "all"])
    parser.add_argument("--loads", nargs="+", default=None, help="idle, stress; in virtual time idle, mixed")
    parser.add_argument("--seconds", type=float, default=120, help="per place and load (600 for the record), and as long again for cyclictest alone")
    parser.add_argument("--virtual-seconds", type=float, default=300, help="of guest time, in virtual time; 300 s are 6000 samples")
    parser.add_argument("--quick", action="store_true", help="a look: 30 s per place and load, 60 s in virtual time")
    parser.add_argument("--timeout", type=float, default=None, help="of a guest, in seconds; by default made from what it has to do")
    parser.add_argument("--cpu", type=int)
    parser.add_argument("--histogram", type=int, default=HIST_US, help=argparse.SUPPRESS)
    parser.add_argument("--guns", type=int, default=12)
    args = parser.parse_args()
    if args.quick:
        args.seconds, args.virtual_seconds = 30, 60
    sys.path.insert(0, os.path.join(TOP, "tests", "plant"))
    import run as demo
    entries = []
    if args.where in ("host", "all", "inside"):
        inside = args.where == "inside"
        cpus = sorted(os.sched_getaffinity(0)) if args.cpu is None else [args.cpu]
        cpu = cpus[-1]
        online = [c for c in range(os.cpu_count()) if c != cpu]
        for load in args.loads or ["idle", "stress"]:
            entry = measure(demo.Hub, args.bin, os.path.join("/tmp" if inside else os.path.join(TOP, "out"), "latency-" + load),
                            "/opt/ringmain/configs/hub.json" if inside else os.path.join(TOP, "configs", "charger.json"),
                            "socketcan" if inside else None, [] if inside and os.path.exists("/dev/watchdog") else ["--development"], cpu, online,
                            args.seconds, load, args.guns, args.histogram)
            entry["where"] = args.where if inside else "host"
            entries.append(entry)
    if args.where in ("guest", "all"):
        entries += in_guest(argparse.Namespace(**dict(vars(args), where="guest", loads=args.loads or ["idle", "stress"])))
    if args.where in ("virtual", "all"):
        entries += in_guest(argparse.Namespace(**dict(vars(args), where="virtual", loads=args.loads if args.where == "virtual" and args.loads else ["idle", "mixed"], seconds=args.virtual_seconds)))
    if not entries:
        sys.exit("latency: nothing was measured")
    if args.where != "inside":
        print_table(entries)
        plot(entries, os.path.dirname(args.json))
    with open(args.json, "w") as f:
        json.dump({
            "where": "+".join(sorted({e["where"] for e in entries})),
            "planner_p999_ratio": max(e["p999_ratio"] for e in entries), "planner_max_ratio": max(e["max_ratio"] for e in entries),
            "overruns": sum(e["overruns"] for e in entries), "page_faults": sum(e["page_faults"] for e in entries),
            "heap_calls": sum(e["heap_calls"] for e in entries), "entries": entries,
        }, f, indent=1)


if __name__ == "__main__":
    main()
