# SPDX-License-Identifier: MIT
"""Alpine's apk with a signed repository on the host: what it installs is what was packed, through upgrades,
repairs, a killed apk, a full disk and power cuts, and e2fsck finds nothing."""
import os
import pathlib
import random
import signal
import subprocess
import time

import pexpect
import pytest

from apks import ARCH, KEY, File, Repository
from guest import Terminal
from servers import Servers

ENV = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
MIB = 1 << 20
MINUTES = 60
MANY = 5000    # files
BIG = 40       # MiB
CHAIN = 60     # packages, each of which needs the one before
INDEX = 25000  # entries that are there for nothing
OPTIONS = ("--smp", "2", "--net", "user")

HOOKS = {name: f"echo {name} $* >>/var/log/hooks" for name in (
    "pre-install", "post-install", "pre-upgrade", "post-upgrade", "pre-deinstall", "post-deinstall", "trigger")}


def many(seed):
    r = random.Random(seed)
    return {f"usr/share/many/d{i // 100}/f{i}": File(r.randbytes(r.randrange(3000))) for i in range(MANY)}


def odd():
    """What else a package holds: links, modes, owners, names."""
    return {"usr/lib/odd/program": File(b"#!/bin/sh\necho it runs\n", 0o4755),
            "usr/lib/odd/theirs": File(b"x", 0o2640, uid=65534, gid=65534),
            "usr/lib/odd/empty": File(),
            "usr/lib/odd/" + "n" * 200: File(b"long"),
            "usr/lib/odd/a name, \u00e4\u00f6\u00fc": File(b"words"),
            "usr/bin/odd": File(link="../lib/odd/program"),
            "usr/lib/odd/dangling": File(link="/no/where")}


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    started = Servers(tmp_path_factory.mktemp("servers"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def url(servers):
    repository = Repository(servers.www / "first")
    repository.add("many", "1-r0", many(1))
    repository.add("big", "1-r0", {"usr/share/big/file": File(random.Random(3).randbytes(BIG * MIB))})
    repository.add("odd", "1-r0", odd())
    repository.add("hooks", "1-r0", {"usr/share/hooks": File(b"one")}, HOOKS, depends=["many"],
                   triggers=["/usr/share/many/*"])
    for i in range(CHAIN):
        repository.add(f"chain{i}", "1-r0", {f"usr/share/chain/f{i}": File(b"%d" % i)},
                       {"post-install": f"cat /usr/share/chain/f{i} >>/var/log/chain; echo >>/var/log/chain"},
                       depends=[f"chain{i - 1}"] if i else [])
    repository.add("spoiled", "1-r0", {"usr/share/spoiled": File(random.Random(4).randbytes(MIB))})
    package = servers.www / "first" / ARCH / "spoiled-1-r0.apk"
    package.write_bytes(package.read_bytes()[:-1000] + bytes(1000))
    repository.write_index(more=INDEX)

    newer = Repository(servers.www / "second")
    changed = many(2)
    for i in range(0, MANY, 10):
        del changed[f"usr/share/many/d{i // 100}/f{i}"]
    newer.add("many", "2-r0", changed)
    newer.add("hooks", "2-r0", {"usr/share/hooks": File(b"two")}, HOOKS, depends=["many"],
              triggers=["/usr/share/many/*"])
    newer.add("instead", "1-r0", {"usr/share/hooks": File(b"instead")}, replaces=["hooks"])
    newer.write_index()
    return servers.url("http")


class Guest(Terminal):
    """Alpine on an image that keeps what is written."""

    columns = 1000  # no line wraps
    log_lines = 0   # of the kernel, when the shell was up

    def __init__(self, kernel, image, options=()):
        super().__init__("alpine", kernel, [*OPTIONS, *options, "--keep", str(image)])

    def start(self):
        super().start()
        self.log_lines = int(self.check("dmesg | wc -l"))

    def repository(self, url, which):
        self.check(f"wget -q -O /etc/apk/keys/{which}-{KEY} {url}/{which}/{KEY} && "
                   f"cp /etc/apk/keys/{which}-{KEY} /etc/apk/keys/{KEY} && "
                   f"echo {url}/{which} >/etc/apk/repositories && apk update >log 2>&1 || (cat log; false)", "",
                   timeout=5 * MINUTES)

    def apk(self, what, status=0, timeout=10 * MINUTES):
        """Runs apk; returns its last line."""
        return self.check(f"apk --no-progress {what} >log 2>&1; s=$?; tail -n 1 log; (exit $s)", status=status,
                          timeout=timeout)

    def same_as_packed(self, url, *files):
        """files: FOLDER/PACKAGE"""
        for one in files:
            self.check(f"wget -q -O sums {url}/{one}.sums && sha1sum -c sums | grep -v ': OK$' | head -n 3", "",
                       timeout=3 * MINUTES)
        self.check("find / -xdev -name '.apk.*'", "")
        self.check("apk audit --system 2>/dev/null", "", timeout=2 * MINUTES)

    def power_cut(self):
        """QEMU dies; the tool sees that and ends."""
        tool = self.child.pid
        for pid in pathlib.Path(f"/proc/{tool}/task/{tool}/children").read_text().split():
            os.kill(int(pid), signal.SIGKILL)
        self.child.expect(pexpect.EOF)
        self.close()

    def end(self):
        """The machine's clean end. The kernel has said nothing since it was up, but for what belongs to the work and
        to emulation."""
        self.check(f"dmesg | tail -n +{self.log_lines + 1} | grep -v -E 'EXT4-fs .*mount|hrtimer: interrupt took'", "", 1)
        self.send_line("exit")
        self.child.wait()
        self.child.close()
        assert self.child.exitstatus == 0


def check_image(image):
    done = subprocess.run(["e2fsck", "-fn", image], env=ENV, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def image(kernel, tmp_path):
    return tmp_path / "alpine.img"


def test_apk_installs_upgrades_repairs_and_removes(kernel, image, url):
    c = Guest(kernel, image)
    c.check("cd /tmp")
    files = c.check("find / -xdev ! -path '/tmp*' ! -path '/var*' ! -path '/etc/apk*' ! -path '/lib/apk*' | sort | "
                    "sha1sum")
    c.check(f"echo {url}/first >/etc/apk/repositories; apk update 2>&1 | grep -c 'UNTRUSTED signature'", "1")
    c.repository(url, "first")
    c.check("apk search -q other | wc -l", str(INDEX), timeout=2 * MINUTES)
    c.apk(f"add hooks odd big chain{CHAIN - 1}")
    c.same_as_packed(url, "first/many", "first/hooks", "first/odd", "first/big", *(f"first/chain{i}" for i in (0, 59)))
    c.check("cut -d/ -f1 /var/log/hooks", "pre-install 1-r0\npost-install 1-r0\ntrigger ")
    c.check("grep trigger /var/log/hooks | wc -w", str(1 + MANY // 100))
    c.check("xargs </var/log/chain", " ".join(map(str, range(CHAIN))))
    c.check("odd; stat -c '%a %u %g %s' /usr/lib/odd/program /usr/lib/odd/theirs; readlink /usr/lib/odd/dangling",
            "it runs\n4755 0 0 23\n2640 65534 65534 1\n/no/where")
    c.check("apk info -L many | grep -c usr/share", str(MANY))

    assert "ERROR" in c.check("apk --no-progress add spoiled", status=1)
    c.check("apk del spoiled >/dev/null && ls /usr/share/spoiled", "ls: /usr/share/spoiled: No such file or directory", 1)
    c.apk("fetch many big", timeout=5 * MINUTES)
    c.check("apk verify many-1-r0.apk big-1-r0.apk", "many-1-r0.apk: 0 - OK\nbig-1-r0.apk: 0 - OK")
    c.check("printf x | dd of=big-1-r0.apk bs=1 seek=2000000 conv=notrunc 2>/dev/null; apk verify big-1-r0.apk",
            status=1)
    c.check("rm *.apk; echo changed >/usr/share/many/d0/f1; rm /usr/share/many/d0/f2; "
            "apk audit --system 2>/dev/null | sort", "U usr/share/many/d0/f1\nX usr/share/many/d0/f2")
    c.apk("fix many odd")
    c.same_as_packed(url, "first/many", "first/odd")

    c.check(": >/var/log/hooks")
    c.repository(url, "second")
    c.apk("upgrade")
    c.same_as_packed(url, "second/many", "second/hooks")
    c.check("find /usr/share/many -type f | wc -l", str(MANY - MANY // 10))
    c.check("cut -d/ -f1 /var/log/hooks", "pre-upgrade 2-r0 1-r0\npost-upgrade 2-r0 1-r0\ntrigger ")
    c.apk("add instead")
    c.check("cat /usr/share/hooks; echo; apk info -W /usr/share/hooks | tail -n 1",
            "instead\n/usr/share/hooks is owned by instead-1-r0")
    c.apk(f"del instead hooks odd big chain{CHAIN - 1}")
    c.check("find / -xdev ! -path '/tmp*' ! -path '/var*' ! -path '/etc/apk*' ! -path '/lib/apk*' | sort | sha1sum",
            files)
    c.check("apk info 2>/dev/null | wc -l; apk audit --system 2>/dev/null", "14")
    c.end()
    check_image(image)


def test_apk_that_is_killed_or_has_no_space_leaves_what_was(kernel, image, url, tmp_path):
    disk = tmp_path / "small.img"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", disk, "40M"], env=ENV, check=True)
    c = Guest(kernel, image, ["--disk", str(disk)])
    c.check("cd /tmp")
    c.repository(url, "first")
    for stage in ("[ -e /usr/share/big/.apk.* ]", "[ $(ls /usr/share/many | wc -l) -gt 20 ]"):
        c.check(f"(apk --no-progress add big many >/dev/null 2>&1 & until {stage}; do :; done; kill -9 $!; wait $!) "
                "2>/dev/null", status=137, timeout=5 * MINUTES)
    c.apk("add big many")
    c.same_as_packed(url, "first/big", "first/many")

    c.check("mkdir /mnt/d && mount /dev/vdb /mnt/d && mkdir -p /mnt/d/etc/apk && cp -r /etc/apk/keys /etc/apk/repositories "
            "/mnt/d/etc/apk/")
    other = "--root /mnt/d --no-scripts"
    c.apk(f"{other} --initdb add many")
    assert "No space left on device" in c.check(f"apk {other} --no-progress add big", status=1, timeout=5 * MINUTES)
    c.check("sed 's,  /,  /mnt/d/,' sums | sha1sum -c - | grep -v ': OK$' | head -n 3", "")
    c.apk(f"{other} del big")
    c.apk(f"{other} fix many")
    c.check("sed 's,  /,  /mnt/d/,' sums | sha1sum -c - | grep -v ': OK$' | head -n 3", "")
    c.check("umount /mnt/d")
    c.end()
    check_image(image)
    check_image(disk)


def test_apk_goes_on_after_power_cuts(kernel, image, url):
    c = Guest(kernel, image)
    c.repository(url, "first")
    c.check("sync")
    r = random.Random(5)
    for _ in range(3):
        c.check("cd /tmp")
        c.send_line("apk --no-progress add many big hooks")
        time.sleep(r.uniform(0.5, 4))
        c.power_cut()
        c.start()
    c.check("cd /tmp")
    c.apk("fix")
    c.apk("add many big hooks")
    c.same_as_packed(url, "first/many", "first/big", "first/hooks")
    c.end()
    check_image(image)
