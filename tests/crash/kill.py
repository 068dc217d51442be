#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""kill.py [--work files|sqlite|git] [--count N] [--seed S] [--smp N] [--kernel aramid|linux]: kills machines at
random moments.

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


class Files:
    """guest_work.c, a build-like workload, on the root file system."""

    def __init__(self, tmp, seed):
        self.seed = str(seed)
        self.root = os.path.join(tmp, "root")
        self.image = os.path.join(tmp, "disk.img")
        os.mkdir(self.root)
        subprocess.run(["musl-gcc", "-static", "-O1", "-Wall", "-o", os.path.join(self.root, "work"),
                        str(TOP / "tests" / "crash" / "guest_work.c")], check=True)
        subprocess.run([str(TOP / "tools" / "mkimage"), "--size", "256M", self.root, self.image], check=True)
        self.options = ["--mem", "256M", "--keep", self.image]

    def work(self, first, _):
        return ["/work", "work", "/w", self.seed, str(first)]

    def check(self, last):
        return ["/work", "check", "/w", self.seed, str(last)]


SQLITE = r"""
import hashlib, itertools, sqlite3, sys

verb, mode, number = sys.argv[1], sys.argv[2], int(sys.argv[3])

def data(n):
    return hashlib.sha256(b"%d" % n).digest() * (1 + n % 200)

db = sqlite3.connect("/mnt/db", isolation_level=None)
if verb == "work":
    db.execute("pragma journal_mode=" + mode)
    db.execute("pragma synchronous=extra")  # full: a commit is an unlink that nobody syncs
    db.execute("create table if not exists kept(n integer primary key, data blob)")
    db.execute("create table if not exists scratch(n integer primary key, data blob)")
    for n in itertools.count(number):
        db.execute("begin immediate")
        db.execute("insert or replace into kept values (?, ?)", (n, data(n)))
        db.execute("insert or replace into scratch values (?, ?)", (n % 60, data(n + 7)))
        if n % 40 == 0:
            db.execute("delete from scratch where n % 3 = ?", (n // 40 % 3,))
        db.execute("commit")
        print("done", n, flush=True)
found = [r[0] for r in db.execute("pragma integrity_check")]
kept = dict(db.execute("select n, data from kept"))
lost = [n for n in range(number + 1) if kept.get(n) != data(n)]
wrong = [n for n in kept if kept[n] != data(n)]
print("integrity", found, "lost", lost, "wrong", wrong)
sys.exit(found != ["ok"] or bool(lost or wrong))
"""


class Sqlite:
    """A database with rollback journal and WAL in turn, on a disk of its own."""

    def __init__(self, tmp, _):
        self.root = "debian"
        self.image = os.path.join(tmp, "disk.img")
        with open(self.image, "wb") as f:
            f.truncate(128 << 20)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", self.image], env=ENV, check=True)
        self.options = ["--disk", self.image]

    @staticmethod
    def line(verb, mode, n):
        return ["sh", "-c", 'mount /dev/vdb /mnt && exec python3 -c "$@"', "sh", SQLITE, verb, mode, str(n)]

    def work(self, first, round_):
        return self.line("work", "wal" if round_ % 2 else "delete", first)

    def check(self, last):
        return [*self.line("check", "-", last)]


GIT = r"""
verb=$1 n=$2
mount -t ext4 /dev/vda /mnt && mkdir -p /mnt/repo && cd /mnt/repo || exit 9
export HOME=/tmp GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
if [ ! -e /mnt/ready ]; then
	git init -q -b main . && git config core.fsync all && git config core.fsyncMethod fsync &&
		git config gc.auto 60 && git config gc.autoDetach false && sync && echo >/mnt/ready && sync || exit 9
fi
# What a killed git leaves, and what its user is told to remove.
find .git -name '*.lock' -exec rm -f {} +
# Commits have the numbers 0, 1, ... to the promised one at least, each with its number in a file.
if [ "$n" -gt 0 ] || [ $verb = check ]; then
	git fsck --full --strict --no-dangling >/tmp/fsck 2>&1 || { echo "failed: fsck"; cat /tmp/fsck; exit 1; }
	have=$(git rev-list --count main) || { echo "failed: no branch"; exit 1; }
	want=$n # commits before the next one, or up to the last promised one
	[ $verb = work ] || want=$((n + 1))
	[ "$have" -ge "$want" ] || { echo "failed: $have commits, $want promised"; exit 1; }
	git reset -q --hard main || { echo "failed: reset"; exit 1; }
	[ "$(cat number)" = $((have - 1)) ] && [ "$(git log -1 --format=%s)" = "commit $((have - 1))" ] ||
		{ echo "failed: the last commit is another"; exit 1; }
	n=$have
fi
[ $verb = work ] || { umount /mnt 2>/dev/null; exit 0; }
while :; do
	mkdir -p dir$((n % 7))
	echo $n >number
	seq 1 $((n % 400 * 5)) >file$((n % 11))
	echo "$n $n" >dir$((n % 7))/new$n
	[ $((n % 9)) = 8 ] && rm -f dir$((n % 5))/new$((n - 7))
	git add -A && git commit -q -m "commit $n" || { echo "failed: commit $n"; exit 1; }
	# git syncs what it writes before it renames it; that the new name of the branch lasts, a sync of its folder says.
	[ $((n % 3)) = 2 ] || { sync .git/refs/heads && echo "done $n"; }
	n=$((n + 1))
done
"""


class Git:
    """A repository with core.fsync=all, on a disk of its own; automatic gc packs it now and then."""

    def __init__(self, tmp, _):
        self.root = os.path.join(tmp, "root")
        self.image = os.path.join(tmp, "disk.img")
        for name in ("bin", "usr/bin", "usr/lib/git-core", "dev", "proc", "sys", "tmp", "mnt", "etc"):
            os.makedirs(os.path.join(self.root, name))
        self.install("/usr/bin/git")
        os.link(os.path.join(self.root, "usr/bin/git"), os.path.join(self.root, "usr/lib/git-core/git"))
        busybox = shutil.copy(shutil.which("busybox"), os.path.join(self.root, "bin"))
        for tool in subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split():
            if tool != "busybox":
                os.symlink("busybox", os.path.join(self.root, "bin", tool))
        with open(self.image, "wb") as f:
            f.truncate(128 << 20)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", self.image], env=ENV, check=True)
        self.options = ["--as", "initramfs", "--disk", self.image]

    def install(self, program):
        """A program of this machine with its libraries."""
        said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        for file in [program, *re.findall(r"(/\S+) \(0x", said)]:
            to = os.path.join(self.root, file.lstrip("/"))
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.copy(os.path.realpath(file), to)

    @staticmethod
    def work(first, _):
        return ["sh", "-c", GIT, "sh", "work", str(first)]

    @staticmethod
    def check(last):
        return ["sh", "-c", GIT, "sh", "check", str(last)]


def aramid(o, work, command, **popen):
    line = [str(TOP / "tools" / "aramid"), "run", "--kernel", o.kernel, "--smp", str(o.smp), "--net", "none",
            *work.options, "--timeout", "300", work.root, "--", *command]
    return subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, errors="replace",
                            start_new_session=True, **popen)


def qemu_of(pid):
    """QEMU's process below the tool's (setpriv has become it)."""
    out = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(pid)], capture_output=True,
                         text=True, check=False).stdout
    found = [int(line.split()[0]) for line in out.splitlines() if "qemu-system" in line]
    return found[0] if found else None


def work_until_killed(o, work, round_, first, rng):
    machine = aramid(o, work, work.work(first, round_))
    delay = rng.uniform(0.0, o.seconds)
    last, said, killed = first - 1, [], []
    timer = None

    def kill():
        pid = qemu_of(machine.pid)
        if pid:
            killed.append(pid)
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
    if not killed or any("failed:" in s or "panic" in s.lower() for s in said):
        raise SystemExit("NOT OK: the machine did not work:\n" + "".join(said[-40:]))
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
    p.add_argument("--work", choices=["files", "sqlite", "git"], default="files")
    o = p.parse_args()
    o.what = {"files": "files", "sqlite": "transactions", "git": "commits"}[o.work]
    rng = random.Random(o.seed)
    with tempfile.TemporaryDirectory(prefix="aramid-kill-") as tmp:
        work = {"files": Files, "sqlite": Sqlite, "git": Git}[o.work](tmp, o.seed)
        last, promised = -1, 0
        for n in range(o.count):
            before = last
            last, delay = work_until_killed(o, work, n, last + 1, rng)
            promised += last - before
            ok, text = fsck(work.image)
            if not ok:
                print(f"NOT OK: kill {n} (seed {o.seed}) after {delay:.3f} s: e2fsck says\n{text}")
                return 1
            machine = aramid(o, work, work.check(last))
            said = machine.stdout.read()
            if machine.wait() != 0:
                print(f"NOT OK: kill {n} (seed {o.seed}) after {delay:.3f} s:\n{said}")
                shutil.copy(work.image, TOP / "build" / "crash" / "bad.img")
                return 1
            if n % 10 == 9:
                print(f"{n + 1} kills, {promised} {o.what} promised", flush=True)
    print(f"ok kill: {o.work}: {o.count} kills of {o.kernel}, {promised} {o.what} promised, none lost, "
          f"seed {o.seed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
