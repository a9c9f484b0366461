#!/usr/bin/env python3
"""Step times of guard and planner on a virtual clock (ringmain-bench-cycle), and what the guard's thread takes of its CPU live.

The first counts our own code alone: control_rx, control_step, and planner_step. The second is everything the thread does: io_uring,
the kernel's share of receiving and sending over the unix transport, publishing of status, sessions, telemetry and plan input, and
waking up; from the thread's own run time (/proc/PID/task/TID/schedstat) while every gun charges.
"""
import argparse
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tests", "plant"))
import run as demo  # noqa: E402

PER_BUS = 6  # PLCs; modules twelve


def hub_config(guns, path):
    """A ring of so many guns with two modules each, on as many buses as the contract's load allows."""
    buses = range((guns + PER_BUS - 1) // PER_BUS)
    with open(path, "w") as f:
        json.dump({
            "chargePoint": {"id": "cycle-%d" % guns},
            "plc": {"contactorFrame": "gcmc", "interfaces": [{"name": "plc%d" % i, "bitrateKbps": 250} for i in buses]},
            "modules": {"protocol": "infypower", "interfaces": [{"name": "mod%d" % i, "bitrateKbps": 125} for i in buses]},
            "connectors": [{"id": i + 1, "plcId": i % PER_BUS, "canInterface": "plc%d" % (i // PER_BUS)} for i in range(guns)],
            "modulePowerKW": 30, "gridLimitKW": 60 * guns}, f)
    return path


def guard_thread(pid):
    """The thread's folder under /proc, by its name."""
    tasks = "/proc/%d/task" % pid
    for tid in os.listdir(tasks):
        with open("%s/%s/comm" % (tasks, tid)) as f:
            if "guard" in f.read():
                return "%s/%s" % (tasks, tid)
    raise RuntimeError("ringmain-rt has no thread called guard")


def run_ns(task):
    with open(task + "/schedstat") as f:
        return int(f.read().split()[0])


def live(bin_dir, guns, seconds):
    folder = os.path.join(TOP, "out", "cycle-%d" % guns)
    hub = demo.Hub(folder, bin_dir, None, plant_args=["--handshake", "fast"])
    config = hub_config(guns, os.path.join(folder, "hub.json"))
    for child in hub.children:
        child.command[child.command.index("--config") + 1] = config
    try:
        hub.start()
        hub.wait_for(lambda: subprocess.run([os.path.join(bin_dir, "ringmainctl"), "--shm", hub.shm, "status"], capture_output=True).returncode == 0,
                     60, "ringmain-rt", hub.rt)
        for gun in range(1, guns + 1):
            hub.plant_ask(cmd="plug", gun=gun, soc=15, target_soc=95)
        charging, end = 0, time.monotonic() + 180
        while charging < guns and time.monotonic() < end:
            time.sleep(1)
            charging = sum(g["state"] == "charging" for g in hub.status()["guns"])
        time.sleep(5)
        task = guard_thread(hub.rt.pid)
        before, start = json.loads(hub.ctl("latency", "--json")), time.monotonic()
        busy = run_ns(task)
        time.sleep(seconds)
        busy, took = run_ns(task) - busy, time.monotonic() - start
        after = json.loads(hub.ctl("latency", "--json"))
        charging = sum(g["state"] == "charging" for g in hub.status()["guns"])
    finally:
        hub.stop()
    counters = {k: after["counters"][k] - before["counters"][k] for k in ("guard_steps", "rx_frames", "tx_frames", "status_published")}
    return {"live_slots": guns, "guns_charging": charging, "seconds": round(took, 1), "guard_thread_cpu_percent": round(busy / took / 1e7, 2),
            "steps_per_s": round(counters["guard_steps"] / took, 1), "rx_frames_per_s": round(counters["rx_frames"] / took, 1),
            "tx_frames_per_s": round(counters["tx_frames"] / took, 1), "status_per_s": round(counters["status_published"] / took, 1),
            "guard_pass_p50_us": after["guard_step"]["p50_ns"] / 1000.0, "guard_pass_p99_us": after["guard_step"]["p99_ns"] / 1000.0,
            "overruns": after["planner_overruns"]}


def main():
    parser = argparse.ArgumentParser(prog="./hub bench cycle")
    parser.add_argument("--bin", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--json", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=30, help="of the live figures")
    parser.add_argument("--live-only", action="store_true", help="leave the virtual clock's figures out")
    args = parser.parse_args()
    result = {"entries": []}
    if not args.live_only:
        code = subprocess.run([os.path.join(args.bin, "ringmain-bench-cycle"), "--json", args.json], cwd=TOP).returncode
        if code:
            sys.exit(code)
        with open(args.json) as f:
            result = json.load(f)
    print("\n%6s %9s | guard thread, live: %7s %8s %9s %9s %9s | pass us %6s %6s" % (
        "slots", "charging", "CPU %", "steps/s", "frames/s", "sent/s", "status/s", "p50", "p99"))
    for guns in (12, 96):
        entry = live(args.bin, guns, args.seconds)
        result["guard_%d_thread_cpu_percent" % guns] = entry["guard_thread_cpu_percent"]
        result["entries"].append(entry)
        print("%6d %9d |                     %7.2f %8.0f %9.0f %9.0f %9.0f |         %6.1f %6.1f" % (
            guns, entry["guns_charging"], entry["guard_thread_cpu_percent"], entry["steps_per_s"], entry["rx_frames_per_s"],
            entry["tx_frames_per_s"], entry["status_per_s"], entry["guard_pass_p50_us"], entry["guard_pass_p99_us"]))
        if entry["guns_charging"] != guns:
            print("cycle: only %d of %d guns were charging: the figures are not of a busy hub" % (entry["guns_charging"], guns), file=sys.stderr)
    with open(args.json, "w") as f:
        json.dump(result, f, indent=1)


if __name__ == "__main__":
    main()
