"""A whole hub for the scenarios of run.py: starts it, asks it, waits for it, reads its log, judges it at the end."""
import bisect
import json
import os
import resource
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "plant"))
import run as demo  # noqa: E402  (class Hub)


STALL_MS = 100  # a machine that stood still that long breaks what a scenario waits for
PROBE_PRIORITY = 98  # above the guard's 90: what keeps the probe from running is not Ringmain
RULE_S8 = 44  # enum rule_id, as the log has it
OVERRUN_STALL_MS = 30  # of the planner's period of 50 ms: that much less and it is late


class Failure(Exception):
    pass


def expect(condition, text, *detail):
    if not condition:
        raise Failure(text + (": " + " ".join(str(d) for d in detail) if detail else ""))


class Probe:
    """When the machine kept real-time threads from running (stall_probe.c). Runs beside all scenarios."""

    def __init__(self, options):
        os.makedirs(options.out, exist_ok=True)
        self.path, self.at, self.seen = os.path.join(options.out, "stalls.log"), 0, {}  # {cpu: (when it woke, how late)}
        with open(self.path, "wb") as out:
            self.process = subprocess.Popen([os.path.join(options.bin, "ringmain-stall-probe"), str(PROBE_PRIORITY)], stdin=subprocess.DEVNULL,
                                            stdout=out, preexec_fn=demo.die_with_parent, start_new_session=True)
        end = time.monotonic() + 2
        while time.monotonic() < end and not self.watching():
            time.sleep(0.02)
        self.cpu = options.isolated if getattr(options, "isolated", None) is not None else max(os.sched_getaffinity(0))  # rt's

    def watching(self):
        with open(self.path) as f:
            return sum(line.startswith("cpu ") for line in f) >= (os.cpu_count() or 1)

    def _catch_up(self):
        with open(self.path, "rb") as f:
            f.seek(self.at)
            data = f.read()
        whole = data[:data.rfind(b"\n") + 1]
        self.at += len(whole)
        for words in (line.split() for line in whole.splitlines()):
            if words[0] == b"late":
                woke, late = self.seen.setdefault(int(words[1]), ([], []))
                woke.append(int(words[2]) + int(words[3]))
                late.append(int(words[3]))

    def read(self, since_ns, until_ns, cpu=None):
        """[(due_ns, late_ns)] of the wakings that were due or late within that time."""
        self._catch_up()
        found = []
        for number, (woke, late) in self.seen.items():
            for i in range(bisect.bisect_left(woke, since_ns) if cpu in (None, number) else len(woke), len(woke)):
                if woke[i] - late[i] > until_ns:
                    break
                found.append((woke[i] - late[i], late[i]))
        return found

    def worst_ms(self, since_ns):
        return max([late / 1e6 for _, late in self.read(since_ns, time.monotonic_ns())], default=0.0)

    def explains(self, event):
        """A planner's overrun: did a thread above it on the same processor stand still as well, in that cycle?"""
        lost = sum(late for _, late in self.read(event["mono_ns"] - 110e6, event["mono_ns"] + 10e6, self.cpu))
        return lost >= OVERRUN_STALL_MS * 1e6

    def stop(self):
        self.process.kill()
        self.process.wait()


def privileges():
    """What this process may ask of the kernel: {"fifo", "mlock"}."""
    try:
        pid = os.fork()
        if pid == 0:
            try:
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PROBE_PRIORITY))
            except OSError:
                os._exit(1)
            os._exit(0)
        fifo = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    except OSError:
        fifo = False
    with open("/proc/self/status") as f:
        effective = int([line for line in f if line.startswith("CapEff")][0].split()[1], 16)
    return {"fifo": fifo, "mlock": bool(effective >> 14 & 1) or resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY}


class Log:
    """The event log as nrt writes it, read as it grows. A line is only read when it is whole."""

    def __init__(self, path):
        self.path, self.at, self.events = path, 0, []

    def read(self):
        """Everything so far; checks that each line is whole and each sequence number comes once, in order."""
        try:
            with open(self.path, "rb") as f:
                f.seek(self.at)
                data = f.read()
        except FileNotFoundError:
            return self.events
        for line in data.splitlines(True):
            if not line.endswith(b"\n"):
                break
            self.at += len(line)
            try:
                event = json.loads(line)
            except ValueError:
                raise Failure("line %d of the event log is no JSON: %r" % (len(self.events) + 1, line[:200]))
            last = self.events[-1] if self.events else {"seq": 0, "boot_id": event["boot_id"]}
            fresh = event["seq"] == 1 and last["boot_id"] != event["boot_id"]  # a segment made anew; else numbers go on
            expect(fresh or event["seq"] == last["seq"] + 1, "event log has a gap or a double at seq", event["seq"], "after", last["seq"])
            self.events.append(event)
        return self.events

    def of(self, kind, gun=None, since_ns=0):
        return [e for e in self.read() if e["type"] == kind and e["mono_ns"] >= since_ns and gun in (None, e["connector_id"])]


class Scene:
    """A running hub with what the scenarios ask of it, and what must hold at its end:
    unloaded   no contactor switched a load
    excused    the kinds of would-be hazards that the scenario's faults may cause and the judge then excuses (judge.c)
    rejected   proposals of the planner that the guard may have refused
    overruns   False: the planner is kept from running"""

    def __init__(self, name, options, plant_args=("--handshake", "fast"), config=None, unloaded=False, rt_program=None, excused=(), rejected=0,
                 overruns=True, **kw):
        self.options, self.unloaded, self.excused, self.rejected, self.overruns = options, unloaded, excused, rejected, overruns
        self.began_ns = time.monotonic_ns()
        self.folder = os.path.join(options.out, name)
        rt_args = ["--development"] if options.development else []
        self.hub = demo.Hub(self.folder, options.bin, config or options.config, seed=options.seed, plant_args=list(plant_args),
                            rt_args=rt_args, **kw)
        if rt_program:
            self.hub.rt.command[0] = os.path.join(options.bin, rt_program)
        self.log = Log(self.hub.event_log)
        if options.transport:
            for child in (self.hub.plant, self.hub.rt):
                i = child.command.index("--transport")
                child.command[i + 1] = options.transport

    def __enter__(self):
        self.ready_ns = self.began_ns
        try:
            self.hub.start()
            self.hub.wait_for(lambda: self.quiet_status() is not None, 20 * self.options.slack, "ringmain-rt's status", self.hub.rt)
            self.all_available(20)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        self.ready_ns = time.monotonic_ns()  # before, PLCs may still tell of their time without host
        return self

    def __exit__(self, kind, error, _):
        failure = error
        if failure is None:
            try:
                self.judge()
            except Exception as found:  # the hub is stopped first
                failure = found
        told = self.tell() if failure is not None else []
        serious = self.serious(self.quiet_status())
        codes = self.hub.stop()
        if failure is None:
            try:
                self.judge_end(codes)
            except Exception as found:
                failure = found
        if failure is None:
            return
        for line in told + ["exit codes at the end: %s" % codes]:
            print("# " + line)
        # for who decides whether to try again: what no stall of the machine excuses, and how long it provably stood still
        failure.serious = getattr(failure, "serious", []) + serious + self.serious_end(codes)
        failure.stall_ms = max(getattr(failure, "stall_ms", 0.0), self.stall_ms(self.report()))
        if error is None:
            raise failure

    def report(self):
        """The virtual hub's last word; it includes the clean stop."""
        try:
            with open(self.hub.plant_report) as f:
                return json.load(f)
        except (OSError, ValueError):
            return {}

    def stall_ms(self, report=None):
        """The longest that this machine provably stood still since the scene began."""
        report = report if report is not None else self.hub.plant_ask(cmd="report")
        return max(self.options.probe.worst_ms(self.began_ns), report.get("late_worst_ms", 0.0))

    def serious(self, status):
        """What no stall of the machine excuses, while the hub still runs."""
        found = []
        for child in self.hub.children:
            own = child.exits_by_itself()
            if own:
                found.append("%s ended by itself with %s" % (child.name, own))
        if status is not None and status["events_dropped"]:
            found.append("%d events were dropped" % status["events_dropped"])
        if status is not None and status["page_faults"] and not status["flags"]["no_mlock"]:
            found.append("%d page faults" % status["page_faults"])
        return found

    def serious_end(self, codes):
        report = self.report()
        found = ["%s ended with %s" % item for item in codes.items() if item[1] not in (0, None)]
        if report.get("hazards") != 0:
            found.append("the judge: %s" % (json.dumps(report["hazard_list"])[:600] if report else "no report"))
        return found

    def judge_end(self, codes):
        for name, code in codes.items():
            expect(code in (0, None), "%s ended with %s" % (name, code), getattr(self.hub, name).tail(8))
        report = self.report()
        expect(report.get("hazards") == 0, "hazards", json.dumps(report.get("hazard_list"))[:1500])
        strange = {kind: n for kind, n in report["excused"].items() if kind not in self.excused}
        expect(not strange, "the judge had to excuse what nothing here should cause", strange)
        self.log.read()

    def tell(self):
        """For who looks into a failure: is rt there, and what do its threads do?"""
        lines = ["ended before: rt %s, nrt %s" % (self.hub.rt.exits, self.hub.nrt.exits)]
        try:
            for tid in os.listdir("/proc/%d/task" % self.hub.rt.pid):
                with open("/proc/%d/task/%s/stat" % (self.hub.rt.pid, tid)) as f:
                    fields = f.read().split()
                with open("/proc/%d/task/%s/wchan" % (self.hub.rt.pid, tid)) as f:
                    lines.append("rt thread %s: state %s, user %s, system %s, in %s" % (fields[1], fields[2], fields[13], fields[14], f.read()))
        except (OSError, TypeError) as error:
            lines.append("no rt: %s" % error)
        status = self.quiet_status()
        lines.append("status is %s ms old" % (status["age_ms"] if status else "not there"))
        return lines

    def judge(self):
        """What holds at the end of every scenario."""
        status = self.hub.status()
        expect(status["events_dropped"] == 0, "events dropped", status["events_dropped"])
        if not status["flags"]["no_mlock"]:  # refused where the tests may not lock memory: real_time tells
            expect(status["page_faults"] == 0, "page faults after sealing", status["page_faults"])
        if self.unloaded:  # only emergencies may open or close under load
            for g in status["guns"]:
                for c in g["contactors"]:
                    expect(c["loaded_operations"] == 0, "loaded operations of gun %d" % g["connector"], c)
        expect(status["proposals_rejected"] <= self.rejected, "proposals rejected", status["proposals_rejected"])
        # Single requests may be refused when guard and planner see different moments, which only a stall makes far apart;
        # and by rule S8 while the plan is late, which the missed cycles below tell.
        refused = [e for e in self.log.of("proposal_rejected") if "rule %d," % RULE_S8 not in e["text"]]
        expect(len(refused) <= self.rejected or self.stall_ms() >= STALL_MS, "requests refused", [e["text"] for e in refused[:8]])
        if self.overruns and not status["flags"]["no_fifo"]:
            slow = [e for e in self.log.of("overrun", since_ns=self.ready_ns) if not self.options.probe.explains(e)]
            expect(not slow, "cycles missed that no stall of the machine explains", [(e["mono_ns"], e["text"]) for e in slow[:8]])

    def quiet_status(self):
        try:
            return self.hub.status()
        except (RuntimeError, ValueError):
            return None

    def guns(self):
        return self.hub.status()["guns"]

    def numbers(self):
        return [g["connector"] for g in self.guns()]

    def gun(self, number):
        return find(self.hub.status(), number)

    def plant(self, number=None):
        """What is really so, from the virtual hub: one gun, or {gun: state}."""
        guns = {g["gun"]: g for g in self.hub.plant_ask(cmd="state")["guns"]}
        return guns if number is None else guns[number]

    def now_ns(self):
        return self.hub.plant_ask(cmd="state")["mono_ns"]

    def wait(self, condition, timeout, what, poll=0.02):
        """Until condition(status) holds; the status is in the failure."""
        end = time.monotonic() + timeout * self.options.slack
        status = None
        while time.monotonic() < end:
            status = self.quiet_status()
            if status is not None and condition(status):
                return status
            time.sleep(poll)
        guns = [(g["connector"], g["state"], g["hlc_stage"], g["faults"]) for g in status["guns"]] if status else "no status"
        raise Failure("waited %g s for %s; guns: %s" % (timeout * self.options.slack, what, guns))

    def wait_gun(self, number, states, timeout=30):
        states = (states,) if isinstance(states, str) else states
        self.wait(lambda s: find(s, number)["state"] in states, timeout, "gun %d to be %s" % (number, "/".join(states)))

    def wait_event(self, what, condition, timeout):
        end = time.monotonic() + timeout * self.options.slack
        while time.monotonic() < end:
            for event in self.log.read():
                if condition(event):
                    return event
            time.sleep(0.005)
        raise Failure("waited %g s for %s" % (timeout * self.options.slack, what))

    def all_available(self, timeout=30):
        self.wait(lambda s: all(g["state"] == "available" for g in s["guns"]), timeout, "all guns to be available")

    def ask(self, **request):
        answer = self.hub.plant_ask(**request)
        expect(answer.get("ok"), json.dumps(request), answer)

    def nrt(self, **request):
        """nrt's answer; a refusal when there is none (it waits for the disk, or is just starting)."""
        try:
            return demo.ask(self.hub.nrt_sock, request, 10 * self.options.slack)
        except (OSError, ValueError) as error:
            return {"ok": False, "error": str(error)}

    def plug(self, number, **how):
        self.ask(cmd="plug", gun=number, **how)

    def unplug(self, number):
        self.ask(cmd="unplug", gun=number)

    def fault(self, name, **where):
        self.ask(cmd="fault", name=name, **where)

    def clear(self, **where):
        self.ask(cmd="clear", **where)

    def all_charging(self, numbers, timeout=60, token=None):
        for n in numbers:
            self.plug(n, soc=20, target_soc=95)
        if token is not None:
            for n in numbers:
                self.wait_gun(n, "plugged", 10)
                self.ask(cmd="swipe", gun=n, token=token)
        self.wait(lambda s: all(is_charging(find(s, n)) for n in numbers), timeout, "guns %s to charge" % list(numbers))

    def sessions(self):
        """The session records as billed."""
        with open(self.hub.event_log + ".sessions.jsonl") as f:
            return [json.loads(line) for line in f]

    def wait_sessions(self, count, timeout=10):
        end = time.monotonic() + timeout * self.options.slack
        while time.monotonic() < end:
            if os.path.exists(self.hub.event_log + ".sessions.jsonl") and len(self.sessions()) >= count:
                break
            time.sleep(0.1)
        records = self.sessions()
        expect(len(records) == count, "one record per session", len(records), "of", count)
        expect(len({r["session_id"] for r in records}) == count, "session ids are unique")
        return records


def find(status, number):
    return [g for g in status["guns"] if g["connector"] == number][0]


def is_charging(gun):
    return gun["state"] == "charging" and gun["power_w"] > 1000
