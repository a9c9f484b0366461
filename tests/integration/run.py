#!/usr/bin/env python3
"""The hub as a whole: real processes, real frames, and what must hold when parts of it fail.

Prints `ok NAME` and `not ok NAME`. Each scenario starts its own hub (virtual hub, rt, nrt) in its own folder and ends it.
In the PREEMPT_RT guest the same scenarios run over vcan (`--transport socketcan`), with full real-time demands.
"""
import argparse
import ctypes
import json
import os
import random
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "plant"))
import run as demo  # noqa: E402  (class Hub)

ENERGISED = ("cable check", "precharge", "closing", "charging", "ramp-down", "opening")


class Failure(Exception):
    pass


def expect(condition, text, *detail):
    if not condition:
        raise Failure(text + (": " + " ".join(str(d) for d in detail) if detail else ""))


class Scene:
    """A running hub with what the scenarios ask of it."""

    def __init__(self, name, options, plant_args=("--handshake", "fast"), config=None, **kw):
        self.options = options
        folder = os.path.join(options.out, name)
        config = config or options.config
        rt_args = ["--development"] if options.development else []
        self.hub = demo.Hub(folder, options.bin, config, seed=options.seed, plant_args=list(plant_args), rt_args=rt_args, **kw)
        if options.transport:
            for child in (self.hub.plant, self.hub.rt):
                i = child.command.index("--transport")
                child.command[i + 1] = options.transport

    def __enter__(self):
        self.hub.start()
        self.hub.wait_for(lambda: self.quiet_status() is not None, 20 * self.options.slack, "ringmain-rt's status", self.hub.rt)
        self.wait(lambda s: all(g["state"] == "available" for g in s["guns"]), 20, "all guns available")
        return self

    def __exit__(self, kind, *_):
        report = None
        try:
            if kind is None and self.hub.plant.process is not None:
                report = self.hub.plant_ask(cmd="report")
        finally:
            codes = self.hub.stop()
        if kind is None:
            if report is not None:
                expect(report["hazards"] == 0, "hazards", json.dumps(report.get("hazard_list"))[:1500])
            for name, code in codes.items():
                expect(code in (0, None), "%s ended with %s" % (name, code), getattr(self.hub, name).tail(8))

    def quiet_status(self):
        try:
            return self.hub.status()
        except (RuntimeError, ValueError):
            return None

    def guns(self):
        return self.hub.status()["guns"]

    def gun(self, number):
        return [g for g in self.guns() if g["connector"] == number][0]

    def wait(self, condition, timeout, what, poll=0.02):
        """Until condition(status) holds; the status is in the failure."""
        end = time.monotonic() + timeout * self.options.slack
        status = None
        while time.monotonic() < end:
            status = self.quiet_status()
            if status is not None and condition(status):
                return status
            time.sleep(poll)
        states = [(g["connector"], g["state"], g["hlc_stage"], g["faults"]) for g in status["guns"]] if status else "no status"
        raise Failure("waited %g s for %s; guns: %s" % (timeout * self.options.slack, what, states))

    def wait_gun(self, number, states, timeout=30):
        states = (states,) if isinstance(states, str) else states
        self.wait(lambda s: [g for g in s["guns"] if g["connector"] == number][0]["state"] in states, timeout,
                  "gun %d to be %s" % (number, "/".join(states)), poll=0.005)

    def plug(self, number, **how):
        answer = self.hub.plant_ask(cmd="plug", gun=number, **how)
        expect(answer.get("ok"), "plug", answer)

    def unplug(self, number):
        answer = self.hub.plant_ask(cmd="unplug", gun=number)
        expect(answer.get("ok"), "unplug", answer)

    def fault(self, name, **where):
        answer = self.hub.plant_ask(cmd="fault", name=name, **where)
        expect(answer.get("ok"), "fault " + name, answer)

    def clear(self, **where):
        answer = self.hub.plant_ask(cmd="clear", **where)
        expect(answer.get("ok"), "clear", answer)

    def all_charging(self, numbers, timeout=60):
        for n in numbers:
            self.plug(n, soc=20, target_soc=95)
        self.wait(lambda s: all(g["state"] == "charging" and g["power_w"] > 1000 for g in s["guns"] if g["connector"] in numbers),
                  timeout, "guns %s to charge" % list(numbers))

    def events(self):
        """The event log as nrt has written it; checks that each line is whole and each sequence number comes once, in order."""
        events = []
        with open(self.hub.event_log) as f:
            for number, line in enumerate(f, 1):
                try:
                    events.append(json.loads(line))
                except ValueError:
                    raise Failure("line %d of the event log is no JSON: %r" % (number, line[:200]))
        return events

    def check_log(self):
        last = {}
        for event in self.events():
            boot, seq = event["boot_id"], event["seq"]
            expect(seq == last.get(boot, seq - 1) + 1, "event log has a gap or a double at seq", seq, "after", last.get(boot))
            last[boot] = seq
        return last


def full_sessions(options):
    """Every gun serves a vehicle from plug to a clean stop; energy is billed as metered."""
    with Scene("full", options) as s:
        numbers = [g["connector"] for g in s.guns()]
        for n in numbers:
            s.plug(n, soc=80 - options.charge_percent, target_soc=80)
        s.wait(lambda st: sum(g["state"] == "charging" for g in st["guns"]) >= 1, 60, "the first vehicle to charge")
        s.wait(lambda st: all(g["state"] in ("finished", "available") for g in st["guns"]), 420, "all sessions to end", poll=0.2)
        report = s.hub.plant_ask(cmd="report")
        expect(report["sessions_completed"] == len(numbers), "sessions completed", report)
        expect(report["sessions_failed"] == 0, "sessions failed", report)
        expect(report["energy_wh"] > 150 * options.charge_percent * len(numbers), "energy delivered", report["energy_wh"])
        for n in numbers:
            s.unplug(n)
        s.wait(lambda st: all(g["state"] == "available" for g in st["guns"]), 20, "all guns free again")
        time.sleep(1.5 * options.slack)
        with open(os.path.splitext(s.hub.event_log)[0] + ".jsonl.sessions.jsonl" if os.path.exists(s.hub.event_log + ".sessions.jsonl") and False
                  else s.hub.event_log + ".sessions.jsonl") as f:
            records = [json.loads(line) for line in f]
        expect(len(records) == len(numbers), "one record per session", len(records))
        expect(len({r["session_id"] for r in records}) == len(records), "session ids are unique")
        billed = sum(r["energy_mwh"] for r in records) / 1000.0
        expect(abs(billed - report["energy_wh"]) <= 0.02 * report["energy_wh"] + 100 * len(records),
               "energy billed is energy delivered", billed, report["energy_wh"])
        status = s.hub.status()
        expect(status["planner_overruns"] == 0 or not options.strict, "overruns", status["planner_overruns"])
        for g in status["guns"]:
            for c in g["contactors"]:
                expect(c["loaded_operations"] == 0, "loaded operations of gun %d" % g["connector"], c)
        s.check_log()


def estop(options):
    """Emergency stop: zero and open at once on every gun, latched until a person resets, then the hub serves again."""
    with Scene("estop", options) as s:
        numbers = [g["connector"] for g in s.guns()]
        s.all_charging(numbers)
        expect(s.hub.plant_ask(cmd="estop", pressed=True).get("ok"), "press")
        s.wait(lambda st: st["estop"] and all(g["power_w"] == 0 and not any(c["command"] for c in g["contactors"]) for g in st["guns"]),
               2, "everything open")
        answer = s.hub.nrt_ask(cmd="reset-estop")
        expect(not answer.get("ok"), "reset while the button is pressed is refused", answer)
        expect(s.hub.plant_ask(cmd="estop", pressed=False).get("ok"), "release")
        time.sleep(1.0)
        expect(s.hub.status()["estop"], "released but not reset: still latched")
        for n in numbers:
            s.unplug(n)
        s.wait(lambda st: s.hub.nrt_ask(cmd="reset-estop").get("ok"), 10, "reset accepted", poll=0.2)
        s.wait(lambda st: not st["estop"] and all(g["state"] == "available" for g in st["guns"]), 30, "hub free after the reset")
        s.all_charging(numbers[:2])


def unplug_everywhere(options):
    """Unplugging in every state of the sequence leaves the gun ready for the next vehicle without an operator."""
    with Scene("unplug", options, plant_args=("--handshake", "medium")) as s:
        numbers = [g["connector"] for g in s.guns()]
        states = ["plugged", "authorised", "locked", "cable check", "precharge", "closing", "charging", "ramp-down", "opening",
                  "weld check", "discharge", "unlock", "finished"]
        seen = []
        for i, state in enumerate(states):
            n = numbers[i % len(numbers)]
            hit = False
            for _ in range(3):
                s.plug(n, soc=20, target_soc=95)
                try:
                    if states.index(state) > states.index("charging"):
                        s.wait_gun(n, "charging", 60)
                        expect(s.hub.plant_ask(cmd="stop", gun=n).get("ok"), "driver's stop")
                    s.wait_gun(n, state, 60)
                    hit = True
                except Failure:
                    pass
                s.unplug(n)
                s.wait_gun(n, "available", 30)
                if hit:
                    break
            if hit:
                seen.append(state)
            s.plug(n, soc=20, target_soc=95)
            s.wait_gun(n, "charging", 60)
            s.unplug(n)
            s.wait_gun(n, "available", 30)
        missed = [x for x in states if x not in seen]
        expect(set(missed) <= {"unlock", "closing", "opening", "authorised", "discharge"}, "states that were seen and unplugged in", seen, "missed", missed)
        print("# unplugged in: %s; too brief to hit from outside (covered in virtual time): %s" % (", ".join(seen), ", ".join(missed) or "none"))


def contained(name, gun_state_after, others_keep=True, for_ms=None, recovers=True, **where):
    """A fault at gun 1 stops gun 1 safely and touches nobody else; when it is gone the gun serves again."""
    def scenario(options):
        with Scene("fault-" + name, options) as s:
            numbers = [g["connector"] for g in s.guns()]
            group = numbers[:4]
            s.all_charging(group)
            s.fault(name, gun=group[0], **where)
            s.wait_gun(group[0], gun_state_after, 10)
            for n in group[1:]:
                expect(s.gun(n)["state"] == "charging", "gun %d goes on charging" % n, s.gun(n)["state"])
            s.clear(gun=group[0])
            if recovers:
                s.unplug(group[0])
                s.wait(lambda st: any(s.hub.nrt_ask(cmd="clear", gun=group[0]).get("ok") for _ in [0])
                       and [g for g in st["guns"] if g["connector"] == group[0]][0]["state"] == "available", 30,
                       "gun free again", poll=0.3)
                s.all_charging(group[:1])
            for n in group[1:]:
                expect(s.gun(n)["state"] == "charging", "gun %d still charging at the end" % n, s.gun(n)["state"])
    scenario.__name__ = "fault_" + name.replace("-", "_")
    scenario.__doc__ = contained.__doc__
    return scenario


def bus_off(options):
    """Bus-off of one interface stops its guns safely; the other interface goes on; recovery is automatic."""
    with Scene("busoff", options) as s:
        guns = s.guns()
        first = [g["connector"] for g in guns if g["interface"] == guns[0]["interface"]]
        other = [g["connector"] for g in guns if g["interface"] != guns[0]["interface"]]
        expect(other, "the configuration has a second PLC interface")
        s.all_charging(first[:2] + other[:2])
        s.fault("bus-off", gun=first[0], for_ms=1500)
        s.wait(lambda st: all(g["state"] not in ENERGISED for g in st["guns"] if g["connector"] in first), 5, "guns of the interface stopped")
        for n in other[:2]:
            expect(s.gun(n)["state"] == "charging", "gun %d of the other interface" % n, s.gun(n)["state"])
        for n in first[:2]:
            s.unplug(n)
        s.wait(lambda st: all(g["state"] == "available" for g in st["guns"] if g["connector"] in first), 40, "guns back by themselves")
        expect(any(i["restarts"] > 0 for i in s.hub.status()["interfaces"]), "restart is counted")
        s.all_charging(first[:1])


def module_loss(options):
    """A silent module leaves its gun charging on the other one."""
    with Scene("module", options) as s:
        s.all_charging([1, 2])
        s.fault("module-silent", gun=1, module=0)
        s.wait(lambda st: any(m["fault"] not in ("", "NONE", None) for m in [g for g in st["guns"] if g["connector"] == 1][0]["modules"]), 20, "the loss is seen")
        time.sleep(3 * options.slack)
        gun = s.gun(1)
        expect(gun["state"] == "charging" and gun["power_w"] > 1000, "goes on with the other module", gun["state"], gun["power_w"])
        expect(gun["limit_reason"] in ("modules", "vehicle"), "and says why it is bounded", gun["limit_reason"])
        s.clear(gun=1)
        s.wait(lambda st: all(m["fault"] in ("", "NONE", None) for m in [g for g in st["guns"] if g["connector"] == 1][0]["modules"]), 30, "the module is back")


PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17


def thread_id(pid, name):
    for tid in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/comm" % (pid, tid)) as f:
            if f.read().strip() == name:
                return int(tid)
    raise Failure("no thread named %s" % name)


def planner_stopped(options):
    """The planner's thread stands still: the guard ramps down and opens by itself, and goes on when it is back."""
    with Scene("planner", options) as s:
        s.all_charging([1, 2])
        libc = ctypes.CDLL(None, use_errno=True)
        libc.ptrace.argtypes = [ctypes.c_long] * 4
        tid = thread_id(s.hub.rt.pid, "planner")
        expect(libc.ptrace(PTRACE_SEIZE, tid, 0, 0) == 0, "ptrace seize", os.strerror(ctypes.get_errno()))
        try:
            expect(libc.ptrace(PTRACE_INTERRUPT, tid, 0, 0) == 0, "ptrace interrupt")
            s.wait(lambda st: all(g["gun_ma"] < 2000 for g in st["guns"] if g["connector"] in (1, 2)), 3, "ramp to zero")
            s.wait(lambda st: all(g["state"] != "charging" for g in st["guns"]), 4, "normal stop after 1 s")
        finally:
            os.waitpid(tid, 0x40000000)
            libc.ptrace(PTRACE_DETACH, tid, 0, 0)
        for n in (1, 2):
            s.unplug(n)
        s.wait(lambda st: all(g["state"] == "available" for g in st["guns"]), 30, "free again")
        s.all_charging([3])


def nrt_killed(options):
    """kill -9 of nrt at random moments while cars charge: no session ends, no event is lost or doubled, no cycle missed."""
    with Scene("nrt", options) as s:
        numbers = [g["connector"] for g in s.guns()]
        s.all_charging(numbers, 90)
        before = s.hub.status()
        sessions = {g["connector"]: g["session_id"] for g in before["guns"]}
        s.hub.nrt.restart = False
        rng = random.Random(options.seed)
        kills = options.kills
        for i in range(kills):
            time.sleep(rng.uniform(0.0, 0.25))
            s.hub.nrt.kill()
            if i % 5 == 0:  # something happens meanwhile
                s.hub.plant_ask(cmd="swipe", gun=numbers[i % len(numbers)], token="CAFE%04d" % i)
            time.sleep(rng.uniform(0.0, 0.15))
            s.hub.nrt.start()
        s.hub.nrt.restart = True
        time.sleep(1.0 * options.slack)
        after = s.hub.status()
        for g in after["guns"]:
            expect(g["state"] == "charging" and g["session_id"] == sessions[g["connector"]], "gun %d still in its session" % g["connector"], g["state"])
        expect(after["events_dropped"] == 0, "no event dropped")
        if options.strict:
            expect(after["planner_overruns"] == before["planner_overruns"], "no missed cycle", after["planner_overruns"])
        s.wait(lambda st: s.hub.nrt_ask(cmd="ping").get("ok"), 10, "nrt answers")
        for n in numbers:
            s.hub.plant_ask(cmd="stop", gun=n)
        s.wait(lambda st: all(g["state"] == "finished" for g in st["guns"]), 60, "clean ends")
        time.sleep(1.5 * options.slack)
        s.check_log()
        with open(s.hub.event_log + ".sessions.jsonl") as f:
            ids = [json.loads(line)["session_id"] for line in f]
        expect(sorted(ids) == sorted(sessions.values()), "each session recorded once", len(ids), len(sessions))
        print("# nrt killed %d times" % kills)


def rt_killed(options):
    """kill -9 of rt: every vehicle is disconnected within 500 ms by its PLC, modules go off, and it recovers without an operator."""
    with Scene("rt", options) as s:
        numbers = [g["connector"] for g in s.guns()][:4]
        s.all_charging(numbers)
        s.hub.rt.restart = False
        killed = s.hub.plant_ask(cmd="state")["mono_ns"]
        expect(s.hub.rt.kill(), "rt was running")
        time.sleep(0.7 * options.slack)
        state = s.hub.plant_ask(cmd="state")
        for g in state["guns"]:
            if g["gun"] in numbers:
                expect(not g["gc_closed"], "gun %d is disconnected" % g["gun"], g)
                late = (g["gc_opened_mono_ns"] - killed) / 1e6
                expect(0 <= late <= 500 * options.slack, "gun %d opened in time" % g["gun"], "%.0f ms" % late)
        time.sleep(11)
        state = s.hub.plant_ask(cmd="state")
        expect(all(not m["on"] for g in state["guns"] for m in g["modules"]), "modules are off at their own time-out")
        s.hub.rt.restart = True
        s.wait(lambda st: True, 20, "rt is back")
        for n in numbers:
            s.unplug(n)
        s.wait(lambda st: all(g["state"] == "available" for g in st["guns"]), 40, "all guns free without an operator")
        s.all_charging(numbers[:2])
        s.check_log()
        with open(s.hub.event_log + ".sessions.jsonl") as f:
            records = [json.loads(line) for line in f]
        expect(sum(r["stop_reason"] == "restart" for r in records) == len(numbers), "interrupted sessions are billed, reason restart", records)


def real_time(options):
    """Threads are FIFO on their CPU, memory is locked, no page fault and no heap call after sealing, memory within bounds."""
    with Scene("realtime", options) as s:
        s.all_charging([1, 2])
        pid = s.hub.rt.pid
        for name, priority in (("guard", 90), ("planner", 80)):
            tid = thread_id(pid, name)
            expect(os.sched_getscheduler(tid) == os.SCHED_FIFO, "%s is FIFO" % name)
            expect(os.sched_getparam(tid).sched_priority == priority, "%s has priority %d" % (name, priority))
            expect(len(os.sched_getaffinity(tid)) == 1, "%s has one CPU" % name, os.sched_getaffinity(tid))
            if options.isolated is not None:
                expect(os.sched_getaffinity(tid) == {options.isolated}, "%s is on the isolated CPU" % name, os.sched_getaffinity(tid))
        time.sleep(5)
        status = s.hub.status()
        expect(status["page_faults"] == 0, "page faults", status["page_faults"])
        with open("/proc/%d/status" % pid) as f:
            fields = dict(line.split(":", 1) for line in f)
        expect(int(fields["VmLck"].split()[0]) > 0, "memory is locked")
        expect(s.hub.rt.peak_rss_mib() < 16, "rt below 16 MiB", s.hub.rt.peak_rss_mib())
        expect(s.hub.nrt.peak_rss_mib() < 16, "nrt below 16 MiB", s.hub.nrt.peak_rss_mib())
        print("# rt %.1f MiB, nrt %.1f MiB" % (s.hub.rt.peak_rss_mib(), s.hub.nrt.peak_rss_mib()))


SCENARIOS = {
    "full_sessions": full_sessions, "estop": estop, "unplug_everywhere": unplug_everywhere,
    "plc_silent": contained("plc-silent", ("faulted", "unavailable")),
    "crc_corrupt": contained("crc-corrupt", ("faulted", "unavailable", "finished")),
    "imd_fault": contained("imd-fault", ("faulted", "finished", "ramp-down", "opening", "weld check", "discharge", "unlock")),
    "cp_loss": contained("cp-loss", ("faulted", "available", "unavailable", "finished", "opening", "discharge", "unlock", "weld check")),
    "bus_off": bus_off, "module_loss": module_loss, "planner_stopped": planner_stopped,
    "nrt_killed": nrt_killed, "rt_killed": rt_killed, "real_time": real_time,
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--out", default=os.path.join(demo.TOP, "out", "integration"))
    parser.add_argument("--config", default=os.path.join(demo.TOP, "configs", "charger.json"))
    parser.add_argument("--transport", help="default: unix sockets in the hub's folder")
    parser.add_argument("--full-demands", dest="development", action="store_false", help="without --development: watchdog device and all")
    parser.add_argument("--isolated", type=int, help="the CPU both threads must be on")
    parser.add_argument("--slack", type=float, default=1.0, help="stretch of waiting times (slow machines)")
    parser.add_argument("--strict", action="store_true", help="overruns fail (a machine of one's own)")
    parser.add_argument("--charge-percent", type=int, default=3, help="of its battery, for every vehicle in full_sessions")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("scenario", nargs="*", help="default: all (%s)" % ", ".join(SCENARIOS))
    options = parser.parse_args()
    bad = 0
    for name in options.scenario or SCENARIOS:
        start = time.monotonic()
        try:
            SCENARIOS[name](options)
            print("ok %s (%.0f s)" % (name, time.monotonic() - start), flush=True)
        except Exception as error:  # a scenario's failure must not end the others
            bad += 1
            if not isinstance(error, Failure):
                traceback.print_exc(file=sys.stdout)
            print("not ok %s: %s" % (name, str(error)[:2500].replace("\n", "\n  ")), flush=True)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
