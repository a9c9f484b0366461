#!/usr/bin/env python3
"""Ringmain on a PREEMPT_RT kernel: the same programs in a QEMU guest with real CAN interfaces and a real watchdog device.

Prints `ok NAME` and `not ok NAME`. Boots, each a machine of its own with two processors, of which the second is isolated:
    hub               hubs of 12 and of 4 guns over vcan, with the full demands: scenarios of tests/integration
    kvaser            the PLC bus over two emulated kvaser_pci controllers on one wire: bit rate, state, loss, return
    watchdog-guard    clean stop, then a guard that stands still: the i6300esb resets the machine
    watchdog-planner  a planner that stands still: the guard ramps down and stops feeding, the machine resets
What runs inside the guest is in inside.py. Software emulation is slow and the machine below it may stall, so waiting
times are stretched there (--slack); what must hold is the same as on hardware.
"""
import argparse
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
import guest as machine  # noqa: E402

HOME = "/opt/ringmain"
PROGRAMS = ("ringmain-rt", "ringmain-nrt", "ringmainctl", "ringmain-plant", "ringmain-stall-probe")
ISOLATED = 1
APPEND = "isolcpus=managed_irq,domain,1 nohz_full=1 rcu_nocbs=1 irqaffinity=0"
PYTHON = ("json socket subprocess threading ctypes argparse random signal time shutil traceback re struct selectors "
          "importlib.util select array resource tempfile contextlib io bisect").split()
WATCHDOG = ["-device", "i6300esb", "-action", "watchdog=reset"]
HUB_SCENARIOS = ("real_time", "full_sessions", "estop", "nrt_killed", "rt_killed", "planner_stopped", "clean_stop")
LARGE = ("real_time",)  # on the default hub
WATCHDOG_S = 4

# Every `ok` and `not ok` of a program becomes a line of the guest's report; what else it says is a comment in the log.
RELAY = """
relay() {
    while read -r line; do
        case "$line" in
            "ok "*) pass "${line#ok }" ;;
            "not ok "*) fail "${line#not ok }"; echo failed >/tmp/failed ;;
            "value "*) value "${line#value }" ;;
            "retried "*) echo "@retried ${line#retried }" >&3 ;;
            *) echo "# $line" >&3 ;;
        esac
    done
}
"""


def default_hub():
    with open(os.path.join(TOP, "configs", "charger.json")) as f:
        return json.load(f)


def small_hub(plc, guns):
    """A few guns on one PLC interface, their modules on one module interface."""
    return {
        "chargePoint": {"id": "guest"},
        "plc": {"contactorFrame": "gcmc", "interfaces": [{"name": plc, "bitrateKbps": 250}]},
        "modules": {"protocol": "infypower", "interfaces": [{"name": "mod0", "bitrateKbps": 125}]},
        "connectors": [{"id": i + 1, "plcId": i, "canInterface": plc} for i in range(guns)],
        "modulePowerKW": 30, "gridLimitKW": 60 * guns, "failSafeLimitKW": 30 * guns,
    }


def isolated(config, watchdog_s):
    """Both threads on the isolated processor. Isolation takes it out of what programs inherit, so it has to be named."""
    return dict(config, rt={"guardCpu": ISOLATED, "plannerCpu": ISOLATED, "watchdogTimeoutSeconds": watchdog_s})


def interfaces(config):
    return [i["name"] for part in ("plc", "modules") for i in config[part]["interfaces"]]


class Boot:
    """One guest with the hub's programs; its checks come out as NAME/check."""

    def __init__(self, name, options, config, script, qemu=(), virtual=None, append="", timeout=300):
        programs = machine.python_files(PYTHON)
        programs["/opt/ip"] = "/bin/ip"  # busybox has an applet of this name without CAN
        for program in PROGRAMS:
            programs["/opt/bin/" + program] = os.path.join(options.bin, program)
        files = {HOME + "/configs/hub.json": json.dumps(config)}
        for path in ("tests/plant/run.py", "tests/integration/run.py", "tests/integration/scene.py", "tests/rt-guest/inside.py"):
            with open(os.path.join(TOP, path)) as f:
                files[HOME + "/" + path] = f.read()
        links = ["/opt/ip link add %s type vcan && /opt/ip link set %s up txqueuelen 1000" % (i, i)
                 for i in (interfaces(config) if virtual is None else virtual)]
        self.guest = machine.Guest(name, RELAY + "\n".join(links) + "\n" + script + LOGS, programs, files,
                                   append=(APPEND + " " + append).strip(), qemu=WATCHDOG + list(qemu), memory=768)
        self.name, self.timeout, self.after = name, timeout, None  # after: checks on what came out

    def run(self):
        """Prints what held and what did not; True when nothing failed."""
        self.guest.run(timeout=self.timeout)
        if self.after:
            self.after(self.guest)
        for name in self.guest.retried:
            print("retried %s/%s" % (self.name, name))
        for name in self.guest.passed:
            print("ok %s/%s" % (self.name, name))
        for name in self.guest.failed:
            print("not ok %s/%s" % (self.name, name))
        for name, data in self.guest.kept.items():
            with open(os.path.join(self.guest.folder, name), "wb") as f:
                f.write(data)
        for key, value in sorted(self.guest.values.items()):
            print("# %s: %s %g" % (self.name, key, value))
        print("# %s: %.0f s" % (self.name, self.guest.seconds), flush=True)
        return not self.guest.failed


def heard(*beginnings):
    """For Boot.after: of each of these something was heard. A program that ends without a word has not passed."""
    def look(guest):
        told = guest.passed + guest.failed
        guest.failed += ["%s: nothing was heard of it" % b for b in beginnings if not any(t.startswith(b) for t in told)]
    return look


# for who looks into a failure; empty when all held
LOGS = """
if [ -s /tmp/failed ]; then
    for f in /tmp/hub/stalls.log /tmp/hub/*/*.jsonl /tmp/hub/*/*.log /tmp/hub/*/plant.json; do
        [ -s $f ] && tail -c 60000 $f > /tmp/log && keep $(echo ${f#/tmp/hub/} | tr / -) /tmp/log
    done
fi
"""


def python(arguments):
    return "python3 -u " + arguments + " 2>&1 | relay"


MACHINE = """
check "kernel is PREEMPT_RT" [ "$(cat /sys/kernel/realtime)" = 1 ]
check "processor 1 is isolated" [ "$(cat /sys/devices/system/cpu/isolated)" = 1 ]
check "processor 1 runs without ticks" [ "$(cat /sys/devices/system/cpu/nohz_full)" = 1 ]
check "watchdog device" [ -c /dev/watchdog ]
"""


def integration(options, config, scenarios):
    """A proven stall of the machine below excuses one attempt: it stops the whole emulated one, its virtual PLCs included,
    for longer than their watchdogs wait."""
    return python("%s/tests/integration/run.py --bin /opt/bin --out /tmp/hub --config %s/configs/%s --transport socketcan "
                  "--full-demands --isolated %d --slack %g --charge-percent 0.5 --kills %d %s" % (
                      HOME, HOME, config, ISOLATED, options.slack, options.kills, " ".join(scenarios)))


def boot_hub(options):
    """Threads, memory and page faults on the default hub of 12 guns; the scenarios on one of 4, which the emulation
    carries beside other work (with 12 the isolated processor is too slow as soon as the machine below is busy)."""
    scenarios = options.scenarios or HUB_SCENARIOS
    large = [s for s in scenarios if s in LARGE]
    script = MACHINE
    if large:
        script += integration(options, "hub.json", large) + "\n"
    if len(scenarios) > len(large):
        script += integration(options, "small.json", [s for s in scenarios if s not in LARGE])
    boot = Boot("hub", options, isolated(default_hub(), 60), script, timeout=options.timeout)  # rt_killed leaves it unfed for 12 s
    boot.guest.files[HOME + "/configs/small.json"] = json.dumps(isolated(small_hub("plc0", options.guns), 60))
    boot.after = heard(*scenarios)
    return boot


def inside(options, what):
    return python("%s/tests/rt-guest/inside.py --bin /opt/bin --config %s/configs/hub.json --slack %g %s" % (HOME, HOME, options.slack, what))


def boot_kvaser(options):
    config = isolated(small_hub("can0", 2), 60)
    script = MACHINE + inside(options, "kvaser")
    wire = ["-object", "can-bus,id=canbus0", "-device", "kvaser_pci,canbus=canbus0", "-device", "kvaser_pci,canbus=canbus0"]
    boot = Boot("kvaser", options, config, script, qemu=wire, virtual=["mod0"], timeout=options.timeout)
    boot.after = heard("kvaser a card taken away")  # its last check
    return boot


def boot_watchdog(options, case):
    """The same initramfs boots twice: the second time the device tells why."""
    config = isolated(small_hub("plc0", 2), WATCHDOG_S)
    script = """
cause=$(cat /sys/class/watchdog/watchdog0/bootstatus)
if [ "$cause" = 0 ]; then
    %s
    fail "the machine was not reset"
else
    pass "the machine was reset"
    check "boot status is CARDRESET" [ "$cause" = 32 ]
fi
""" % inside(options, case)
    boot = Boot(case, options, config, script, timeout=options.timeout)

    def bitten_in_time(guest):
        seconds = guest.values.get("seconds_until_reset", 0.0)  # said twice a second until the end
        good = WATCHDOG_S - 2 <= seconds <= 2 * WATCHDOG_S
        (guest.passed if good else guest.failed).append("reset %.1f s after the guard stood still" % seconds)

    boot.after = bitten_in_time if case == "watchdog-guard" else heard("watchdog the guard ramps down")
    return boot


BOOTS = {
    "hub": boot_hub,
    "kvaser": boot_kvaser,
    "watchdog-guard": lambda options: boot_watchdog(options, "watchdog-guard"),
    "watchdog-planner": lambda options: boot_watchdog(options, "watchdog-planner"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of the programs")
    parser.add_argument("--slack", type=float, default=4.0, help="stretch of waiting times (default 4)")
    parser.add_argument("--kills", type=int, default=12, help="how often ringmain-nrt is killed (default 12)")
    parser.add_argument("--guns", type=int, default=4, help="size of the hub in the hub boot's scenarios (default 4)")
    parser.add_argument("--timeout", type=float, default=900, help="seconds for one boot (default 900)")
    parser.add_argument("--scenarios", nargs="+", help="of the hub boot (default: %s)" % " ".join(HUB_SCENARIOS))
    parser.add_argument("boot", nargs="*", help="default: all (%s)" % ", ".join(BOOTS))
    options = parser.parse_args()
    for name in options.boot:
        if name not in BOOTS:
            parser.error("no boot named %s" % name)
    start = time.monotonic()
    good = True
    for name in options.boot or BOOTS:
        good = BOOTS[name](options).run() and good
    print("# %.0f s in all" % (time.monotonic() - start))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
