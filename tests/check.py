#!/usr/bin/env python3
"""What can be checked without running the hub: formatting, static analysis, and a search per past mistake.

Prints `ok NAME` or `not ok NAME` per check. `--no-tidy` leaves clang-tidy out (a few seconds instead of minutes).
"""
import concurrent.futures
import json
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
os.chdir(TOP)
failures = 0


def verdict(name, problems):
    global failures
    if problems:
        failures += 1
        for problem in problems[:20]:
            print("  " + problem)
        if len(problems) > 20:
            print("  .. and %d more" % (len(problems) - 20))
        print("not ok check: %s" % name, flush=True)
    else:
        print("ok check: %s" % name, flush=True)


def files(*patterns):
    return [f for f in subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
                                      capture_output=True, text=True, check=True).stdout.split("\n") if f and os.path.exists(f)]


C_FILES = files("*.c", "*.h")
TEXT = {f: open(f, errors="replace").read() for f in C_FILES}
CORE = [f for f in C_FILES if re.match(r"rt/(planner|interlock|sequencer|can)/|rt/control", f)]


def search(paths, pattern, allow=()):
    found = []
    for path in paths:
        for number, line in enumerate(TEXT[path].split("\n"), 1):
            if re.search(pattern, line) and not any(a in line for a in allow):
                found.append("%s:%d: %s" % (path, number, line.strip()[:120]))
    return found


def formatting():
    bad = []
    for i in range(0, len(C_FILES), 40):
        got = subprocess.run(["clang-format", "--dry-run", "-Werror", *C_FILES[i:i + 40]], capture_output=True, text=True)
        named = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error", got.stderr, re.M)))
        bad += named or ([got.stderr.strip()[-300:] or "clang-format failed"] if got.returncode else [])
    verdict("every file is as clang-format leaves it", bad)


def mistakes():
    rt = [f for f in C_FILES if f.startswith("rt/")]
    nrt = [f for f in C_FILES if f.startswith("nrt/")]
    common = [f for f in C_FILES if re.match(r"(shm|configs)/", f)]
    verdict("rt never includes nrt, nor the reverse, nor common ground either",
            search(rt, r'#include.*"nrt/') + search(nrt, r'#include.*"rt/') + search(common, r'#include.*"(rt|nrt)/'))
    core_no_tools = [f for f in CORE if "diagram" not in f]  # the diagram's printer is a tool, not part of rt
    verdict("only the shell of rt touches the system",
            search(core_no_tools, r'#include <(time|unistd|fcntl|errno|stdio|pthread|sys/(?!types)|signal)\S*>'))
    verdict("no heap, print, sleep or clock call in the pure core",
            search(core_no_tools, r"\b(malloc|calloc|realloc|free|printf|fprintf|sleep|usleep|nanosleep|clock_gettime|time|gettimeofday|rand|random)\s*\("))
    verdict("no floating point in guard, sequencer, interlock and planner",
            search([f for f in core_no_tools if not f.startswith("rt/can/")], r"\b(float|double)\b"))
    verdict("unfinished marks", search(C_FILES, r"\b(TODO|FIXME|XXX|HACK)\b|not implemented|placeholder"))
    verdict("no unbounded copies outside tests", search([f for f in C_FILES if not f.startswith("tests/unit/")], r"\b(strcpy|strcat|sprintf|vsprintf|gets)\s*\("))
    verdict("no NDEBUG: asserts stay on", search(C_FILES, r"\bNDEBUG\b"))
    verdict("no _t typedef of our own", search(C_FILES, r"^typedef .*\b\w+_t;"))
    verdict("milli, not mega: no upper-case unit suffix", search([f for f in rt if f.endswith(".h")], r"\b\w+_(mV|mA|kW|MW)\b"))
    verdict("no file beyond 900 lines", ["%s: %d lines" % (f, TEXT[f].count("\n")) for f in C_FILES if TEXT[f].count("\n") > 900])
    verdict("no __DATE__ or __TIME__: builds are reproducible", search(C_FILES, r"__(DATE|TIME)__"))
    verdict("header guards", ["%s: no include guard" % f for f in C_FILES if f.endswith(".h") and not re.search(r"#ifndef RINGMAIN_\w+_H", TEXT[f])])
    tests = "\n".join(t for f, t in TEXT.items() if f.startswith("tests/"))
    cmake = "\n".join(open(f, errors="replace").read() for f in files("*CMakeLists.txt") if f.startswith("tests/"))
    untested = []
    for f in C_FILES:
        if re.match(r"(rt/(planner|interlock|sequencer|can|io)|shm|configs)/.*\.c$", f):
            header = f[:-2] + ".h"
            if header in TEXT and not re.search(re.escape('"%s"' % header), tests) and os.path.basename(f)[:-2] not in cmake + tests:
                untested.append("%s: no test names it or its header" % f)
    verdict("every source has a test", untested)
    verdict("the evidence named in docs/hazards.md exists", evidence())
    verdict("every key of the configuration is read by a program", unread_keys())
    # the pattern is put together here so that this file does not match itself
    paths = re.compile(r"(^|[^A-Za-z])/(wor" + r"k|far" + r"m)/")
    named = []
    for f in files():
        try:
            text = open(f).read()
        except (UnicodeDecodeError, IsADirectoryError):
            continue
        named += ["%s: %s" % (f, line.strip()[:100]) for line in text.split("\n") if paths.search(line)]
    verdict("no path of a developer's machine", named)


def evidence():
    """Tests that docs/hazards.md names in its last column ("unit: test, test; unit: ..") and that no test file defines."""
    defined = set(re.findall(r"\btest_(\w+)\(", "\n".join(t for f, t in TEXT.items() if f.startswith("tests/"))))
    missing, seen = [], 0
    with open("docs/hazards.md") as f:
        for line in f:
            cells = line.strip().strip("|").split("|")
            if not line.startswith("| ") or len(cells) < 5:
                continue
            for unit, names in re.findall(r"(\w+): ([^;|]+)", cells[-1]):
                seen += 1
                missing += ["%s: %s: %s" % (cells[0].strip().split(" ")[0], unit, n) for n in re.findall(r"\w+", names) if n not in defined]
    return missing or ([] if seen > 20 else ["only %d rows with evidence were read" % seen])


# Keys whose field no source of rt/ or nrt/ reads, and why that is right.
UNREAD_KEYS = {
    # read by the loader alone, which makes other fields of them
    "chargePoint.usePLC": "only true is accepted",
    "chargePoint.canInterface": "default of slots[].canInterface", "connectors[].canInterface": "default of slots[].canInterface",
    "slots[].canInterface": "becomes slot.interface", "slots[].gunId": "becomes slot.gun",
    "slots[].cw": "becomes the order of slot[]", "slots[].ccw": "becomes the order of slot[]",
    "plc.boundaryContactors": "becomes slot.has_bc", "plc.moduleContactors": "becomes module.mn_on_plc",
    "modulePowerKW": "becomes module.rated_w",
    # what the hardware does; read by the virtual hub
    "modules.selfOffMs": "the module's own time-out, behind T_mod_hard_ms",
    # of the connection to the central system, which does not exist yet
    "chargePoint.vendor": "OCPP", "chargePoint.firmwareVersion": "OCPP", "chargePoint.centralSystemURI": "OCPP",
    "plc.requireHttpsUploads": "OCPP", "connectors[].meterSampleIntervalSeconds": "OCPP", "security.profile": "OCPP",
    # marked so in its text
    "interlock.ramp_emergency_A_s": "reserved",
}


def unread_keys():
    """Keys of configs/config_table.c whose field appears as a member nowhere in rt/ or nrt/, and exceptions that are none any more."""
    table = TEXT["configs/config_table.c"]
    code = "\n".join(t for f, t in TEXT.items() if re.match(r"(rt|nrt)/", f))
    keys = re.findall(r'"([\w.\[\]]+)", (?:HUB|CONNECTOR|SLOT|MODULE|BUS)\((?:\w+\.)*(\w+)\)', table[table.index("config_table[] ="):])
    unread = {key for key, field in keys if not re.search(r"(\.|->)%s\b" % field, code)}
    return (["%s: nothing reads it: use it, take it out, or name the reason in UNREAD_KEYS" % k for k in sorted(unread - set(UNREAD_KEYS))]
            + ["%s is read now: take it out of UNREAD_KEYS" % k for k in sorted(set(UNREAD_KEYS) - unread)]
            + ([] if len(keys) > 100 else ["only %d keys were found" % len(keys)]))


def symbols():
    """The pure core's object code calls nothing of the system: nm over its libraries."""
    if subprocess.run(["./hub", "build", "release"], capture_output=True).returncode != 0:
        verdict("release build for the symbol check", ["the build failed"])
        return
    allowed = re.compile(r"^(mem(cpy|set|move|cmp)|str(len|nlen|ncpy|ncmp|cmp)|__(memcpy|memset|memmove|strncpy)_chk|__stack_chk_fail|__assert_fail|"
                         r"_GLOBAL_OFFSET_TABLE_|lrintf?|isnan|isfinite|"
                         r"__popcountdi2)$")  # the last is the compiler's own
    libs = {}
    for root, _, names in os.walk("build/release/rt"):
        for name in names:
            if re.match(r"librm_(codec|can|interlock|sequencer|planner|control)\.a$", name):
                libs[name] = os.path.join(root, name)
    defined, wanted = set(), {}
    for extra in ("build/release/shm/librm_shm.a", "build/release/configs/librm_config.a"):
        if os.path.exists(extra):
            for line in subprocess.run(["nm", "--defined-only", extra], capture_output=True, text=True).stdout.split("\n"):
                defined.add(line.split()[-1] if line.split() else "")
    for name, path in libs.items():
        for line in subprocess.run(["nm", path], capture_output=True, text=True).stdout.split("\n"):
            words = line.split()
            if len(words) == 2 and words[0] == "U":
                wanted.setdefault(words[1], name)
            elif len(words) == 3:
                defined.add(words[2])
    bad = ["%s is used by %s" % (s, lib) for s, lib in sorted(wanted.items()) if s not in defined and not allowed.match(s)]
    verdict("the pure core's object code calls nothing of the system (%d libraries)" % len(libs), bad if len(libs) == 6 else ["libraries missing: found %s" % sorted(libs)])


def tidy():
    subprocess.run(["cmake", "--preset", "tidy", "-DCMAKE_C_CLANG_TIDY="], capture_output=True, check=False)
    if subprocess.run(["cmake", "--build", "--preset", "tidy", "--target", "codegen"], capture_output=True).returncode != 0:
        verdict("clang-tidy", ["generated sources could not be made (cmake --build --preset tidy --target codegen)"])
        return
    with open("build/tidy/compile_commands.json") as f:
        units = sorted({e["file"] for e in json.load(f) if "/build/" not in e["file"]})
    units = [u for u in units if re.search(r"/(shm|configs|rt|nrt)/|/tests/plant/", u) and "/tests/unit/" not in u]

    def one(unit):
        got = subprocess.run(["clang-tidy", "-quiet", "-p", "build/tidy", unit], capture_output=True, text=True)
        if got.returncode == 0:
            return []
        named = [line for line in got.stdout.split("\n") if re.search(r"(error|warning):", line)]
        return named or ["%s: clang-tidy ended with %d: %s" % (unit, got.returncode, got.stderr.strip()[-200:])]

    problems = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for result in pool.map(one, units):
            problems += result
    verdict("clang-tidy (%d files)" % len(units), sorted(set(problems)))


def scripts():
    bad = []
    for f in files("*.py"):
        got = subprocess.run([sys.executable, "-m", "py_compile", f], capture_output=True, text=True)
        if got.returncode:
            bad.append("%s: %s" % (f, got.stderr.strip().split("\n")[-1]))
    for f in ["hub", ".ci/run"]:
        got = subprocess.run(["bash", "-n", f], capture_output=True, text=True)
        if got.returncode:
            bad.append(got.stderr.strip())
    verdict("scripts parse", bad)


formatting()
mistakes()
scripts()
symbols()
if "--no-tidy" not in sys.argv:
    tidy()
sys.exit(1 if failures else 0)
