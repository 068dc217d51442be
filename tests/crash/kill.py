#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""kill.py [--count N] [--seed S] [--smp N] [--kernel aramid|linux]: kills machines at random moments.

One disk image lives through all of it: a machine works on it until QEMU is killed, the next one
mounts it, checks what was promised and goes on. e2fsck looks at a copy in between."""
import argparse
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
ENV = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}


def aramid(o, image, command, **popen):
    line = [str(TOP / "tools" / "aramid"), "run", "--kernel", o.kernel, "--smp", str(o.smp), "--mem", "256M",
            "--keep", image, "--timeout", "120", o.root, "--", *command]
    return subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, errors="replace",
                            start_new_session=True, **popen)


def qemu_of(pid):
    """QEMU's process below the tool's (setpriv has become it)."""
    out = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(pid)], capture_output=True,
                         text=True, check=False).stdout
    found = [int(line.split()[0]) for line in out.splitlines() if "qemu-system" in line]
    return found[0] if found else None


def work_until_killed(o, image, first, rng):
    machine = aramid(o, image, ["/work", "work", "/w", str(o.seed), str(first)])
    delay = rng.uniform(0.0, o.seconds)
    last, said = first - 1, []
    timer = None

    def kill():
        pid = qemu_of(machine.pid)
        if pid:
            os.kill(pid, signal.SIGKILL)

    for line in machine.stdout:
        said.append(line)
        m = re.match(r"done (\d+)", line)
        if m:
            last = int(m[1])
            if timer is None:
                timer = threading.Timer(delay, kill)
                timer.start()
    machine.wait()
    if timer is None or any("failed:" in s or "panic" in s.lower() for s in said):
        raise SystemExit("NOT OK: the machine did not work:\n" + "".join(said[-40:]))
    timer.cancel()
    return last, delay


def mended(text):
    """Did e2fsck fix anything? The totals in the super block don't count: they are written at unmount
    only (Linux's e2fsck says the same after Linux)."""
    return "Fix" in re.sub(r"Free (blocks|inodes) count wrong \(\d+, counted=\d+\)\.\nFix\? yes\n", "", text)


def fsck(image):
    with tempfile.NamedTemporaryFile(prefix="aramid-kill-", suffix=".img") as f:
        subprocess.run(["cp", "--sparse=always", image, f.name], check=True)
        first = subprocess.run(["e2fsck", "-fy", f.name], capture_output=True, text=True, env=ENV, check=False)
        again = subprocess.run(["e2fsck", "-fn", f.name], capture_output=True, text=True, env=ENV, check=False)
    return first.returncode & ~1 == 0 and again.returncode == 0 and not mended(first.stdout), \
        first.stdout + again.stdout


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--count", type=int, default=10)
    p.add_argument("--seed", type=int, default=int(time.time()))
    p.add_argument("--smp", type=int, default=2)
    p.add_argument("--seconds", type=float, default=2.0, help="longest time before a kill")
    p.add_argument("--kernel", default="aramid")
    o = p.parse_args()
    rng = random.Random(o.seed)
    binary = TOP / "build" / "crash" / "guest_work"
    binary.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["musl-gcc", "-static", "-O1", "-Wall", "-o", str(binary),
                    str(TOP / "tests" / "crash" / "guest_work.c")], check=True)
    with tempfile.TemporaryDirectory(prefix="aramid-kill-") as tmp:
        root, image = os.path.join(tmp, "root"), os.path.join(tmp, "disk.img")
        os.mkdir(root)
        shutil.copy(binary, os.path.join(root, "work"))
        o.root = root
        subprocess.run([str(TOP / "tools" / "mkimage"), "--size", "256M", root, image], check=True)
        last, promised = -1, 0
        for n in range(o.count):
            before = last
            last, delay = work_until_killed(o, image, last + 1, rng)
            promised += last - before
            ok, text = fsck(image)
            if not ok:
                print(f"NOT OK: kill {n} (seed {o.seed}) after {delay:.3f} s: e2fsck says\n{text}")
                return 1
            machine = aramid(o, image, ["/work", "check", "/w", str(o.seed), str(last)])
            said = machine.stdout.read()
            if machine.wait() != 0:
                print(f"NOT OK: kill {n} (seed {o.seed}) after {delay:.3f} s:\n{said}")
                shutil.copy(image, TOP / "build" / "crash" / "bad.img")
                return 1
            if n % 10 == 9:
                print(f"{n + 1} kills, {promised} files promised", flush=True)
    print(f"ok kill: {o.count} kills of {o.kernel}, {promised} files promised, none lost, seed {o.seed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
