#!/usr/bin/env python3
"""Scenarios that need the guest's devices: CAN controllers and the watchdog. Runs inside the guest; see run.py.

Prints `ok NAME`, `not ok NAME: why` and `value NAME NUMBER`. A step that fails ends its scenario.
"""
import argparse
import ctypes
import importlib.util
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, os.path.join(TOP, path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


hub = load("integration", "tests/integration/run.py")
Failure, expect = hub.Failure, hub.expect
IP = "/opt/ip"
DRIVER = "/sys/bus/pci/drivers/kvaser_pci"
WATCHDOG = "/sys/class/watchdog/watchdog0/"


def ok(text):
    print("ok " + text, flush=True)


def link(*words):
    subprocess.run([IP, "link", "set", *words], check=True)


def link_info(name):
    """What the kernel says of a CAN interface: flags, bit rate, state, restart, counters."""
    got = subprocess.run([IP, "-d", "-s", "-j", "link", "show", name], capture_output=True, text=True)
    if got.returncode != 0:
        return None
    return json.loads(got.stdout)[0]


def bitrate(name):
    return link_info(name)["linkinfo"]["info_data"]["bittiming"]["bitrate"]


def can_state(name):
    return link_info(name)["linkinfo"]["info_data"]["state"]


def interface(status, name):
    return [i for i in status["interfaces"] if i["name"] == name][0]


# ---- kvaser: the PLC bus over two real controllers ----
#
# What the emulation cannot do: its SJA1000 has no error counters and no bus errors, so a controller never reaches
# error-passive or bus-off by itself, and the kernel refuses a manual restart of one that is not in bus-off. What
# ringmain-rt does on bus-off is shown with an error frame put on its own side of the controller, as the driver would
# report it; that the driver then comes back is shown by stopping and starting and by taking the card away.


def far_end(name, rate):
    """The virtual hub's controller, set up by hand."""
    link(name, "down")
    link(name, "type", "can", "bitrate", str(rate))
    link(name, "txqueuelen", "1000", "up")


def report_bus_off(name):
    """The frame by which a driver reports bus-off, sent through the controller: it comes back to every other local socket."""
    with socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW) as s:
        s.bind((name,))
        s.send(struct.pack("=IB3x8s", socket.CAN_ERR_FLAG | 0x40, 8, bytes(8)))


def charge(scene, guns, timeout=60):
    scene.all_charging(guns, timeout)


def free_again(scene, guns):
    """After a stop: vehicles leave, and the guns are there for the next ones without an operator."""
    for n in guns:
        scene.unplug(n)
    scene.wait(lambda st: all(g["state"] == "available" for g in st["guns"]), 40, "guns free by themselves")


def stopped(status):
    return all(g["state"] not in hub.ENERGISED for g in status["guns"])


def kvaser(options):
    """Bit rate, session, stop and start, loss and return of the card."""
    for name in ("can0", "can1"):
        expect(link_info(name) is not None, "controller", name)
    expect("UP" not in link_info("can0")["flags"], "can0 is not set up yet")
    far_end("can1", 250000)
    with hub.Scene("kvaser", options, plant_args=("--fast", "--map", "can0=can1"), excused=hub.EMERGENCY) as s:
        guns = [g["connector"] for g in s.guns()]
        info = link_info("can0")
        expect("UP" in info["flags"] and bitrate("can0") == 250000, "bit rate as configured", info)
        expect(info["linkinfo"]["info_data"].get("restart_ms", 0) == 0, "the kernel does not restart by itself", info)
        expect(can_state("can0") == "ERROR-ACTIVE" and interface(s.hub.status(), "can0")["state"] == "up", "state", info)
        expect(info["txqlen"] == 128, "transmit queue", info["txqlen"])
        ok("kvaser bit rate and state are set and read")

        charge(s, guns)
        for n in guns:
            expect(s.hub.plant_ask(cmd="stop", gun=n).get("ok"), "driver's stop")
        s.wait(lambda st: all(g["state"] == "finished" for g in st["guns"]), 40, "clean ends")
        free_again(s, guns)
        report = s.hub.plant_ask(cmd="report")
        expect(report["sessions_completed"] == len(guns) and report["crc_errors"] == 0, "sessions", report)
        counts = interface(s.hub.status(), "can0")
        expect(counts["rx_frames"] > 500 and counts["rx_dropped"] == 0 and counts["error_frames"] == 0, "frames", counts)
        ok("kvaser whole sessions over the driver")

        charge(s, guns)
        link("can1", "down")  # in bus-off nothing is heard either
        report_bus_off("can0")
        s.wait_event("bus-off in the log", lambda e: e["type"] == "interface" and e["interface_state"] == "bus-off", 3)
        s.wait(stopped, 5, "guns stopped by the report of bus-off", poll=0.01)
        s.wait(lambda st: interface(st, "can0")["state"] == "up", 20, "up again, as the controller says")
        expect(interface(s.hub.status(), "can0")["error_frames"] == 1, "one error frame")
        link("can1", "up")
        free_again(s, guns)
        ok("kvaser reported bus-off stops its guns and heals")

        charge(s, guns)
        link("can0", "down")
        s.wait(lambda st: interface(st, "can0")["state"] == "up" and "UP" in link_info("can0")["flags"], 20, "can0 set up again")
        expect(bitrate("can0") == 250000, "bit rate after the return", bitrate("can0"))
        s.wait_event("the loss in the log", lambda e: e["type"] == "interface" and e["interface_name"] == "can0" and e["interface_state"] == "down", 3)
        s.wait(lambda st: all(g["state"] in ("charging", "finished", "faulted", "unavailable", "available") for g in st["guns"]), 40,
               "guns at rest or charging on")
        free_again(s, guns)
        ok("kvaser a controller set down is set up again")

        charge(s, guns)
        device = os.path.basename(os.path.realpath("/sys/class/net/can0/device"))
        with open(DRIVER + "/unbind", "w") as f:
            f.write(device)
        s.wait(lambda st: interface(st, "can0")["state"] == "down", 5, "the loss is reported", poll=0.01)
        s.wait(stopped, 5, "guns of the lost interface stopped", poll=0.01)
        time.sleep(0.7 * options.slack)
        state = s.hub.plant_ask(cmd="state")
        expect(all(not g["gc_closed"] for g in state["guns"]), "vehicles are disconnected by their PLCs", state)
        time.sleep(3)
        expect(interface(s.hub.status(), "can0")["state"] == "down", "down while it is away")
        with open(DRIVER + "/bind", "w") as f:
            f.write(device)
        s.wait(lambda st: interface(st, "can0")["state"] == "up", 20, "the card is back")
        expect(bitrate("can0") == 250000, "bit rate of the new interface", bitrate("can0"))
        free_again(s, guns)
        charge(s, guns)
        expect(s.hub.rt.starts == 1, "rt lived through all this", s.hub.rt.starts)
        ok("kvaser a card taken away and put back is served again")


# ---- watchdog ----


def watchdog_is(state):
    with open(WATCHDOG + "state") as f:
        return f.read().strip() == state


def feeds(scene):
    return json.loads(scene.hub.ctl("latency", "--json"))["counters"]["watchdog_feeds"]


def watched(options, then):
    """A clean stop leaves the machine alone; a fed watchdog does too; what `then` does to rt makes it bite."""
    bite_s = options.watchdog_s
    expect(watchdog_is("inactive"), "the watchdog sleeps before")
    with hub.Scene("clean", options) as s:
        expect(watchdog_is("active"), "rt has started the watchdog")
        expect(not any(s.hub.status()["flags"][f] for f in ("development", "no_watchdog", "no_fifo", "no_mlock")), "full demands")
        with open(WATCHDOG + "timeout") as f:
            expect(int(f.read()) == bite_s, "time-out as configured")
        before = feeds(s)
        time.sleep(2 * bite_s)
        fed = feeds(s) - before
        expect(fed >= 2 * bite_s, "fed about twice a second", fed)
        ok("watchdog is fed: %d times in %d s" % (fed, 2 * bite_s))
    expect(watchdog_is("inactive"), "a clean stop puts it to sleep")
    time.sleep(1.5 * bite_s)
    ok("watchdog sleeps after a clean stop")
    scene = hub.Scene("bite", options)
    scene.__enter__()
    charge(scene, [g["connector"] for g in scene.guns()])
    then(scene)
    start = time.monotonic()
    while time.monotonic() - start < 5 * bite_s + 10:
        time.sleep(0.5)
        print("value seconds_until_reset %.1f" % (time.monotonic() - start), flush=True)
    raise Failure("the machine still runs %.0f s later" % (time.monotonic() - start))


def watchdog_guard(options):
    """The whole process stands still."""
    def stop(scene):
        scene.hub.rt.restart = False
        os.kill(scene.hub.rt.pid, signal.SIGSTOP)
        ok("watchdog guard stopped")
    watched(options, stop)


def watchdog_planner(options):
    """Only the planner's thread stands still: the guard stops the guns, and feeds no longer."""
    def stop(scene):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.ptrace.argtypes = [ctypes.c_long] * 4
        tid = hub.thread_id(scene.hub.rt.pid, "planner")
        expect(libc.ptrace(hub.PTRACE_SEIZE, tid, 0, 0) == 0, "ptrace seize", os.strerror(ctypes.get_errno()))
        expect(libc.ptrace(hub.PTRACE_INTERRUPT, tid, 0, 0) == 0, "ptrace interrupt")
        scene.wait(lambda st: all(g["gun_ma"] < 2000 for g in st["guns"]), 3 / options.slack, "current at zero", poll=0.01)
        ok("watchdog the guard ramps down without its planner")
    watched(options, stop)


SCENARIOS = {"kvaser": kvaser, "watchdog-guard": watchdog_guard, "watchdog-planner": watchdog_planner}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--config", required=True)
    parser.add_argument("--slack", type=float, default=4.0)
    parser.add_argument("--watchdog-s", type=int, default=4)
    parser.add_argument("scenario", choices=sorted(SCENARIOS))
    options = parser.parse_args()
    vars(options).update(out="/tmp/hub", transport="socketcan", development=False, isolated=1, seed=1)
    options.probe = hub.Probe(options)
    start = time.monotonic()
    try:
        SCENARIOS[options.scenario](options)
    except Exception as error:  # the reason goes to the report, whatever it is
        if not isinstance(error, Failure):
            traceback.print_exc(file=sys.stdout)
        print("not ok %s: %s" % (options.scenario, str(error)[:2000].replace("\n", " | ")), flush=True)
        sys.exit(1)
    finally:
        options.probe.stop()
    print("value %s_s %.0f" % (options.scenario.replace("-", "_"), time.monotonic() - start), flush=True)


if __name__ == "__main__":
    main()
