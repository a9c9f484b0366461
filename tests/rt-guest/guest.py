"""A small PREEMPT_RT machine for tests: Debian's RT kernel in QEMU, an initramfs of busybox and our programs.

No root file system, no network. The guest runs one shell script and speaks over its second serial port, line by line:
    @pass NAME [words]      a check that held
    @fail NAME words        a check that did not
    @retried NAME: why      a scenario that ran again, because this machine stood still
    @value NAME NUMBER      a measured figure
    @file NAME              base64 lines follow until @end
    @done                   the script reached its end
Anything else goes to the log. Software emulation only (KVM hangs the kernels used here).
"""
import base64
import gzip
import os
import re
import shutil
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
CACHE = os.path.join(TOP, "out", "guest")

# in loading order, dependencies first
MODULES = ["can", "can-raw", "can-dev", "vcan", "sja1000", "kvaser_pci", "watchdog", "i6300esb"]
BUSYBOX = "/bin/busybox"


def say(text):
    print(text, file=sys.stderr, flush=True)


def kernel_package():
    """Name of the newest RT kernel package that Debian's metapackage depends on."""
    text = subprocess.run(["apt-cache", "depends", "linux-image-rt-amd64"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"Depends: (linux-image-\S+-rt-amd64)", text)
    if not match:
        raise RuntimeError("linux-image-rt-amd64 is unknown to apt: run `apt-get update`, or check that Debian's main is configured")
    return match.group(1)


def kernel():
    """Fetch and unpack the RT kernel once; returns (vmlinuz, modules folder, version). Not installed on this machine."""
    package = kernel_package()
    folder = os.path.join(CACHE, package)
    if not os.path.exists(os.path.join(folder, "done")):
        say("guest: fetching %s" % package)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        for attempt in range(3):
            got = subprocess.run(["apt-get", "download", "-q", package], cwd=folder, capture_output=True, text=True)
            if got.returncode == 0:
                break
            time.sleep(5 * (attempt + 1))
        else:
            raise RuntimeError("apt-get download %s failed:\n%s" % (package, got.stderr[-800:]))
        deb = [f for f in os.listdir(folder) if f.endswith(".deb")][0]
        subprocess.run(["dpkg-deb", "-x", deb, "tree"], cwd=folder, check=True)
        os.unlink(os.path.join(folder, deb))
        open(os.path.join(folder, "done"), "w").close()
    version = package[len("linux-image-"):]
    tree = os.path.join(folder, "tree")
    return os.path.join(tree, "boot", "vmlinuz-" + version), os.path.join(tree, "lib", "modules", version), version


def libraries(program):
    """Shared objects a program needs, as ldd names them."""
    text = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    return re.findall(r"(/\S+\.so\S*)", text)


def cpio(entries):
    """newc archive of {path: (mode, bytes)}; folders are created as needed."""
    out = bytearray()
    seen = set()
    inode = 0

    def add(path, mode, data):
        nonlocal inode
        inode += 1
        name = path.encode() + b"\0"
        out.extend(b"070701" + b"".join(b"%08x" % n for n in (
            inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)))
        out.extend(name)
        out.extend(b"\0" * (-len(out) % 4))
        out.extend(data)
        out.extend(b"\0" * (-len(out) % 4))

    def folders(path):
        parts = path.split("/")[:-1]
        for i in range(1, len(parts) + 1):
            folder = "/".join(parts[:i])
            if folder and folder not in seen:
                seen.add(folder)
                add(folder, 0o040755, b"")

    for path in sorted(entries):
        mode, data = entries[path]
        folders(path)
        add(path, mode, data)
    add("TRAILER!!!", 0, b"")
    return bytes(out)


INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin HOME=/ LC_ALL=C
mkdir -p /proc /sys /dev /tmp /run /dev/shm
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/shm /dev/pts /dev/mqueue
mount -t tmpfs tmpfs /dev/shm; mount -t tmpfs tmpfs /tmp; mount -t tmpfs tmpfs /run; mount -t devpts pts /dev/pts
mount -t mqueue mq /dev/mqueue
for m in %s; do insmod /modules/$m.ko 2>/dev/null || echo "no module $m"; done
exec 3>/dev/ttyS1
pass() { echo "@pass $*" >&3; }
fail() { echo "@fail $*" >&3; }
value() { echo "@value $*" >&3; }
check() { name=$1; shift; if "$@" >/tmp/check.out 2>&1; then pass "$name"; else fail "$name: $* : $(head -c 300 /tmp/check.out | tr '\\n' ' ')"; fi; }
keep() { echo "@file $1" >&3; base64 "$2" >&3; echo "@end" >&3; }
. /test.sh
echo "@done" >&3
sync; sleep 0.3
poweroff -f
"""


class Guest:
    """One boot: programs {guest path: host path}, files {guest path: text}, a test script, and what came back."""

    def __init__(self, name, script, programs=None, files=None, cpus=2, append="", qemu=None, virtual_time=False, memory=512):
        self.name, self.script = name, script
        self.programs, self.files = dict(programs or {}), dict(files or {})
        self.cpus, self.append, self.qemu = cpus, append, list(qemu or [])
        self.virtual_time, self.memory = virtual_time, memory
        self.passed, self.failed, self.retried, self.values, self.kept = [], [], [], {}, {}
        self.done = False
        self.seconds = 0.0
        self.folder = os.path.join(CACHE, "run-" + name)

    def initramfs(self, modules):
        entries = {"init": (0o100755, (INIT % " ".join(MODULES)).encode()),
                   "test.sh": (0o100755, self.script.encode())}

        def program(guest_path, host_path):
            with open(host_path, "rb") as f:
                entries[guest_path.lstrip("/")] = (0o100755, f.read())
            for lib in libraries(host_path):
                with open(os.path.realpath(lib), "rb") as f:
                    entries[lib.lstrip("/")] = (0o100755, f.read())

        program("/bin/busybox", BUSYBOX)
        for guest_path, host_path in self.programs.items():
            program(guest_path, host_path)
        for guest_path, data in self.files.items():
            if isinstance(data, str):
                data = data.encode()
            entries[guest_path.lstrip("/")] = (0o100644, data)
        for root, _, names in os.walk(modules):
            for name in names:
                base = name.split(".ko")[0]
                if name.endswith(".ko") and base in MODULES:
                    with open(os.path.join(root, name), "rb") as f:
                        entries["modules/%s.ko" % base] = (0o100644, f.read())
        return gzip.compress(cpio(entries), 1)

    def _listen(self, pipe):
        name, lines = None, []
        for raw in pipe:
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            self.log.write(line + "\n")
            self.log.flush()
            if name is not None:
                if line == "@end":
                    self.kept[name] = base64.b64decode("".join(lines))
                    name, lines = None, []
                else:
                    lines.append(line)
            elif line.startswith("@pass "):
                self.passed.append(line[6:])
                say("  guest %s: ok    %s" % (self.name, line[6:]))
            elif line.startswith("@fail "):
                self.failed.append(line[6:])
                say("  guest %s: FAIL  %s" % (self.name, line[6:]))
            elif line.startswith("@retried "):
                self.retried.append(line[9:])
                say("  guest %s: retried %s" % (self.name, line[9:]))
            elif line.startswith("@value "):
                key, _, number = line[7:].partition(" ")
                self.values[key] = float(number)
            elif line.startswith("@file "):
                name, lines = line[6:], []
            elif line == "@done":
                self.done = True

    def run(self, timeout=300):
        """Boot, run the script, power off. True when the script reached its end with no failed check."""
        vmlinuz, modules, version = kernel()
        os.makedirs(self.folder, exist_ok=True)
        initrd = os.path.join(self.folder, "initramfs.gz")
        with open(initrd, "wb") as f:
            f.write(self.initramfs(modules))
        if self.virtual_time:
            machine = ["-accel", "tcg,thread=single", "-icount", "shift=1,sleep=off", "-smp", "1", "-cpu", "max,+invtsc"]
        else:
            machine = ["-accel", "tcg,thread=multi", "-cpu", "max,+invtsc", "-smp", str(self.cpus)]
        command = ["qemu-system-x86_64", "-machine", "q35", "-m", str(self.memory), "-display", "none", "-nodefaults", "-no-user-config",
                   "-nic", "none", "-kernel", vmlinuz, "-initrd", initrd,
                   "-serial", "file:" + os.path.join(self.folder, "console.log"), "-serial", "stdio",
                   "-append", ("console=ttyS0 quiet panic=5 tsc=reliable " + self.append).strip()] + machine + self.qemu
        say("guest %s: booting %s (%s), at most %d s; console in %s" % (
            self.name, version, "virtual time" if self.virtual_time else "%d CPUs" % self.cpus, timeout,
            os.path.relpath(os.path.join(self.folder, "console.log"), TOP)))
        start = time.monotonic()
        self.log = open(os.path.join(self.folder, "guest.log"), "w")
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        reader = threading.Thread(target=self._listen, args=(process.stdout,))
        reader.start()
        try:
            process.wait(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.failed.append("the guest did not finish within %d s" % timeout)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            reader.join()
            self.log.close()
        self.seconds = time.monotonic() - start
        if not self.done:
            self.failed.append("the script did not reach its end; see %s" % os.path.relpath(self.folder, TOP))
        say("guest %s: %.0f s, %d held, %d failed" % (self.name, self.seconds, len(self.passed), len(self.failed)))
        return not self.failed


def python_files(imports):
    """{guest path: host path} of Debian's python3 with just the modules that these imports load (byte code beside them)."""
    code = "import %s\nimport sys\nprint('\\n'.join(getattr(m, '__file__', None) or '' for m in list(sys.modules.values())))" % ", ".join(imports)
    text = subprocess.run(["/usr/bin/python3", "-c", code], capture_output=True, text=True, check=True).stdout
    out = {"/usr/bin/python3": os.path.realpath("/usr/bin/python3")}
    version = os.path.basename(out["/usr/bin/python3"])
    lib = "/usr/lib/" + version
    names = {line for line in text.split("\n") if line.startswith(lib)}
    for package in ("encodings",):  # codecs load lazily
        for name in ("__init__", "aliases", "utf_8", "ascii", "latin_1", "idna"):
            names.add("%s/%s/%s.py" % (lib, package, name))
    for name in names:
        if not os.path.exists(name):
            continue
        out[name] = name
        folder, base = os.path.split(name)
        cached = os.path.join(folder, "__pycache__", base[:-3] + ".cpython-%s.pyc" % version[len("python"):].replace(".", ""))
        if os.path.exists(cached):
            out[cached] = cached
    return out
