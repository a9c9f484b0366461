#!/usr/bin/env python3
"""Runs a whole hub on this machine: the virtual hub, ringmain-rt and ringmain-nrt, supervised, until Ctrl-C.

What systemd does on a target is done here: start in order, restart with back-off, stop cleanly.
`./hub run` calls it; the integration tests use class Hub.
"""
import argparse
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def die_with_parent():
    """In the child: end when the supervisor ends, however it ends; ignore the terminal's Ctrl-C."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def ask(path, request, timeout=2.0):
    """One JSON line to a control socket, one back. Raises OSError when nobody answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(timeout)
        s.connect(path)
        s.sendall((json.dumps(request) + "\n").encode())
        data = b""
        while not data.endswith(b"\n"):
            part = s.recv(65536)
            if not part:
                break
            data += part
    return json.loads(data)


class Child:
    """A supervised program: restarted with back-off when it ends by itself."""

    def __init__(self, name, command, log, cpus=None, restart=True, priority=0):
        self.name, self.command, self.log, self.cpus, self.restart = name, command, log, cpus, restart
        self.priority = priority  # SCHED_RR, where it is to be had
        self.process = None
        self.starts = 0
        self.backoff_s = 0.1
        self.next_start = 0.0
        self.exits = []
        self.kills = 0  # by kill(): those exits are not its own
        self.lock = threading.RLock()  # the supervising thread and whoever kills or starts by hand

    def start(self):
        with self.lock:
            self._start()

    def _start(self):
        def prepare():
            die_with_parent()
            if self.cpus:
                os.sched_setaffinity(0, self.cpus)
            if self.priority:
                try:
                    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(self.priority))
                except OSError:
                    pass
        out = open(self.log, "ab")
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                        preexec_fn=prepare, start_new_session=True)
        out.close()
        self.starts += 1
        self.started = time.monotonic()

    def poll(self):
        """Called often: notices an exit, restarts when its time has come."""
        with self.lock:
            self._poll()

    def _poll(self):
        now = time.monotonic()
        if self.process is not None and self.process.poll() is not None:
            self.exits.append(self.process.returncode)
            self.process = None
            if now - self.started > 10:
                self.backoff_s = 0.1
            self.next_start = now + self.backoff_s
            self.backoff_s = min(self.backoff_s * 2, 5.0)
        if self.process is None and self.restart and self.starts and now >= self.next_start:
            self.start()

    @property
    def pid(self):
        return self.process.pid if self.process else None

    def kill(self):
        """kill -9, and it is gone when this returns. False when it was not running."""
        with self.lock:
            if self.process is None or self.process.poll() is not None:
                return False
            self.process.kill()
            self.process.wait()
            self.kills += 1
            return True

    def exits_by_itself(self):
        """Exit codes of lives that nobody ended from here, and that did not end well."""
        own, kills = [], self.kills
        for code in self.exits:
            if code == -signal.SIGKILL and kills > 0:
                kills -= 1
            elif code != 0:
                own.append(code)
        return own

    def stop(self, sig=signal.SIGTERM, timeout=15):
        """Returns the exit code; kills after the timeout."""
        self.restart = False
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(sig)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode

    def peak_rss_mib(self):
        try:
            with open("/proc/%d/status" % self.pid) as f:
                for line in f:
                    if line.startswith("VmHWM"):
                        return int(line.split()[1]) / 1024.0
        except (OSError, TypeError):
            pass
        return None

    def tail(self, lines=15):
        try:
            with open(self.log, errors="replace") as f:
                return "".join(f.readlines()[-lines:])
        except OSError:
            return ""


class Hub:
    """Virtual hub, rt and nrt in one folder, several side by side on one machine."""

    def __init__(self, folder, bin_dir, config=None, seed=1, plant_args=(), rt_args=("--development",), nrt_args=(), name=None):
        self.folder = os.path.abspath(folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.bin = os.path.abspath(bin_dir)
        self.config = os.path.abspath(config or os.path.join(TOP, "configs", "charger.json"))
        self.shm = name or "/ringmain-%d-%s" % (os.getpid(), os.path.basename(self.folder))
        self.transport = "unix:" + self.folder
        self.plant_sock = os.path.join(self.folder, "plant.sock")
        self.nrt_sock = os.path.join(self.folder, "nrt.sock")
        self.event_log = os.path.join(self.folder, "events.jsonl")
        self.plant_report = os.path.join(self.folder, "plant.json")
        common = ["--config", self.config, "--run-folder", self.folder]
        allowed = sorted(os.sched_getaffinity(0))
        others = set(allowed[:-1]) or None  # the last CPU is the guard's
        program = lambda p: os.path.join(self.bin, p)
        self.plant = Child("plant", [program("ringmain-plant"), *common, "--transport", self.transport, "--seed", str(seed),
                                     "--report", self.plant_report, *plant_args], os.path.join(self.folder, "plant.log"), others, restart=False,
                           priority=10)  # it stands for hardware, which is never late: a busy machine must not look like silent PLCs
        self.rt = Child("rt", [program("ringmain-rt"), *common, "--transport", self.transport, "--shm", self.shm, *rt_args],
                        os.path.join(self.folder, "rt.log"))
        self.nrt = Child("nrt", [program("ringmain-nrt"), *common, "--shm", self.shm, "--log", self.event_log, *nrt_args],
                         os.path.join(self.folder, "nrt.log"), others)
        self.children = [self.plant, self.rt, self.nrt]
        self.stopping = False
        self.watcher = None
        self.at_rest, self.over = threading.Event(), threading.Event()

    def start(self, plant=True, rt=True, nrt=True):
        if plant:
            self.plant.start()
            self.wait_for(lambda: os.path.exists(self.plant_sock), 10, "the virtual hub's socket", self.plant)
        if rt:
            self.rt.start()
        if nrt:
            self.nrt.start()
        self.watcher = threading.Thread(target=self._watch, daemon=True)
        self.watcher.start()

    def _watch(self):
        while not self.stopping:
            for child in self.children:
                if child.starts:
                    child.poll()
            time.sleep(0.02)
        self.at_rest.set()
        self.over.wait()  # a child that this thread started again would be killed when the thread ends (PR_SET_PDEATHSIG)

    def wait_for(self, condition, timeout, what, child=None):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if condition():
                return
            if child is not None and child.process is not None and child.process.poll() is not None:
                break
            time.sleep(0.02)
        logs = "\n".join("--- %s\n%s" % (c.name, c.tail()) for c in self.children)
        raise RuntimeError("waited %g s for %s in vain\n%s" % (timeout, what, logs))

    def plant_ask(self, **request):
        return ask(self.plant_sock, request)

    def nrt_ask(self, **request):
        return ask(self.nrt_sock, request)

    def ctl(self, *args, check=True):
        """ringmainctl's standard output."""
        got = subprocess.run([os.path.join(self.bin, "ringmainctl"), "--shm", self.shm, "--run-folder", self.folder, *args],
                             capture_output=True, text=True, timeout=30)
        if check and got.returncode != 0:
            raise RuntimeError("ringmainctl %s: exit %d: %s" % (" ".join(args), got.returncode, got.stderr.strip()))
        return got.stdout

    def status(self):
        return json.loads(self.ctl("status", "--json"))

    def stop(self):
        """Everything down in the order that lets vehicles go cleanly; returns {name: exit code}."""
        self.stopping = True
        if self.watcher:
            self.at_rest.wait()
        codes = {"rt": self.rt.stop(), "nrt": self.nrt.stop(), "plant": self.plant.stop()}
        self.over.set()
        if self.watcher:
            self.watcher.join()
        for name in (self.shm,):
            try:
                os.unlink("/dev/shm" + name)
            except OSError:
                pass
        for suffix in ("-evt", "-cmd"):
            try:
                ctypes.CDLL("librt.so.1").mq_unlink((self.shm + suffix).encode())
            except OSError:
                pass
        return codes


LOWERED = ("no_fifo", "no_mlock", "no_watchdog", "no_crc", "socket_bus")  # demands that --development goes without


def collect_report(hub):
    """The figures of `./hub run --report`, from the virtual hub (what vehicles saw) and from ringmain-rt."""
    plant = hub.plant_ask(cmd="report")
    status = hub.status()
    latency = json.loads(hub.ctl("latency", "--json"))
    return {
        "sessions_started": plant["sessions_started"],
        "sessions_completed": plant["sessions_completed"],
        "sessions_failed": plant["sessions_failed"],
        "failures": plant.get("failures", {}),
        "energy_wh": plant["energy_wh"],
        "hazards": plant["hazards"],
        "hazard_list": plant.get("hazard_list", []),
        "cycles": status["planner_cycles"],
        "overruns": status["planner_overruns"],
        "first_charge_s": plant["first_charge_s"],
        "rt_rss_mib": hub.rt.peak_rss_mib(),
        "nrt_rss_mib": hub.nrt.peak_rss_mib(),
        "page_faults": status["page_faults"],
        "events_dropped": status["events_dropped"],
        "rt_starts": hub.rt.starts,
        "nrt_starts": hub.nrt.starts,
        "latency": latency,
        "excused": plant.get("excused", {}),  # would-be hazards that an emergency or injected fault explains (judge.c)
        "late_ms": plant["late_ms"],  # how long the machine kept the virtual hub from running
        "late_worst_ms": plant["late_worst_ms"],
        "lowered": [name for name in LOWERED if status["flags"][name]],
        "development": True,
    }


def main():
    parser = argparse.ArgumentParser(prog="./hub run", description="Charge cars on the virtual hub until Ctrl-C.")
    parser.add_argument("--bin", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--from", dest="folder", default=os.getcwd(), help=argparse.SUPPRESS)  # where the person stands
    parser.add_argument("--for", dest="seconds", type=float, help="stop after that many seconds")
    parser.add_argument("--speed", type=float, default=1.0, help="arrival rate, 1 = the demonstration's pace (default 1)")
    parser.add_argument("--seed", type=int, default=1, help="seed of vehicles and arrivals (default 1)")
    parser.add_argument("--report", help="write the run's figures to this JSON file")
    parser.add_argument("--config", default=os.path.join(TOP, "configs", "charger.json"), help="configuration (default configs/charger.json)")
    parser.add_argument("--fault-rate", type=float, default=0.0, help="injected faults per hour (default 0)")
    parser.add_argument("--plain", action="store_true", help="a line per event also on a terminal")
    args = parser.parse_args()
    args.config = os.path.join(args.folder, args.config)
    if args.report:
        args.report = os.path.join(args.folder, args.report)
        try:
            open(args.report, "a").close()  # said now, not after the run
        except OSError as error:
            parser.error("--report %s: %s" % (args.report, error.strerror))
    live = sys.stdout.isatty() and not args.plain
    plant_args = ["--demo", "--speed", str(args.speed)]
    if args.fault_rate > 0:
        plant_args += ["--fault-rate", str(args.fault_rate)]
    hub = Hub(os.path.join(TOP, "out", "run", str(os.getpid())), args.bin, args.config, args.seed, plant_args)
    finished = threading.Event()
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, lambda *_: finished.set())
    report, code, view = None, 0, None
    try:
        hub.start()
        hub.wait_for(lambda: subprocess.run([os.path.join(hub.bin, "ringmainctl"), "--shm", hub.shm, "status"],
                                            capture_output=True).returncode == 0, 15, "ringmain-rt to be ready", hub.rt)
        ctl = [os.path.join(hub.bin, "ringmainctl"), "--shm", hub.shm, "--run-folder", hub.folder]
        for line in hub.rt.tail(40).splitlines():
            if "DEVELOPMENT" in line:
                print(line, file=sys.stderr, flush=True)
        if live:
            view = subprocess.Popen(ctl + ["top"])
        else:
            print("ringmain: hub in %s, shared memory %s; one line per event" % (os.path.relpath(hub.folder, TOP), hub.shm), flush=True)
            view = subprocess.Popen(ctl + ["--log", hub.event_log, "events", "--follow"], preexec_fn=die_with_parent)
        end = time.monotonic() + args.seconds if args.seconds else None
        while not finished.wait(0.1):
            if end is not None and time.monotonic() >= end:
                break
            if live and view.poll() is not None:
                break  # the person pressed q
        report = collect_report(hub)
    except (RuntimeError, OSError, KeyError, ValueError, subprocess.SubprocessError) as error:
        print("hub run: %s" % error, file=sys.stderr)
        code = 1
    finally:
        if view is not None and view.poll() is None:
            view.terminate()
            try:
                view.wait(5)
            except subprocess.TimeoutExpired:
                view.kill()
                view.wait()
        print("ringmain: stopping", file=sys.stderr, flush=True)
        codes = hub.stop()
        for name, exit_code in codes.items():
            if exit_code not in (0, None):
                print("hub run: ringmain-%s ended with %s; log:\n%s" % (name, exit_code, getattr(hub, name).tail()), file=sys.stderr)
                code = 1
    if report is not None:
        try:
            with open(hub.plant_report) as f:
                final = json.load(f)
            report["hazards"] = final["hazards"]  # the clean stop counts too
            report["hazard_list"] = final.get("hazard_list", [])
            report["excused"] = final["excused"]
        except (OSError, ValueError, KeyError) as error:
            print("hub run: the virtual hub left no report: %s" % error, file=sys.stderr)
            code = 1
        if args.report:
            with open(args.report, "w") as f:
                json.dump(report, f, indent=2)
                f.write("\n")
        for name in ("rt", "nrt"):
            if report[name + "_starts"] > 1:
                print("hub run: ringmain-%s ended by itself and was started again %d times; its log:\n%s" % (
                    name, report[name + "_starts"] - 1, getattr(hub, name).tail()), file=sys.stderr)
                code = 1
        print("sessions: %(sessions_started)d started, %(sessions_completed)d completed, %(sessions_failed)d failed; "
              "%(energy_wh).0f Wh; hazards %(hazards)d; overruns %(overruns)d in %(cycles)d cycles" % report, file=sys.stderr)
        if report["excused"]:
            print("excused by emergencies and injected faults: %s" % ", ".join("%s %d" % e for e in sorted(report["excused"].items())), file=sys.stderr)
        if report["hazards"]:
            print("HAZARDS: %s" % json.dumps(report["hazard_list"], indent=1), file=sys.stderr)
            code = 1
    sys.exit(code)


if __name__ == "__main__":
    main()
