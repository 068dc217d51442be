# SPDX-License-Identifier: MIT
"""Distributions boot by their own init, people log in on the console, and shutting down leaves a clean disk."""
import os
import re
import subprocess
import sys

import pexpect
import pytest

from guest import BOOT_SECONDS, COMMAND_SECONDS, TOOL, TOP, network, run

sys.path.insert(0, str(TOP / "tools"))
from vm import roots  # noqa: E402

ENV = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
OPTIONS = ("--smp", "2", "--mem", "256M")
PROMPT = "@@ready@@ "

# What a person does who sets a machine with a serial console up; the service tells what init asks it for.
DEBIAN_PACKAGES = "sysvinit-core,ifupdown,isc-dhcp-client,login,util-linux-extra"
DEBIAN = r"""
set -e
echo root:secret | chpasswd
sed -i -e '/^[1-6]:.*getty/d' -e 's,^#T0:.*,T0:2345:respawn:/sbin/getty -L ttyS0 115200 vt100,' /etc/inittab
echo '/dev/vda / ext4 errors=remount-ro 0 1' >/etc/fstab
echo box >/etc/hostname
echo 127.0.0.1 localhost box >/etc/hosts
printf 'auto lo
iface lo inet loopback
auto eth0
iface eth0 inet dhcp
' >/etc/network/interfaces
cat >/etc/init.d/mark <<.
#!/bin/sh
### BEGIN INIT INFO
# Provides: mark
# Required-Start: \$local_fs \$network
# Required-Stop: \$local_fs \$network
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
# Description: test
### END INIT INFO
echo \$1 >>/var/log/mark
.
chmod 755 /etc/init.d/mark
update-rc.d mark defaults
"""

ALPINE = r"""
set -e
chmod u+s /bin/busybox  # for passwd and su
echo root:secret | chpasswd 2>/dev/null
sed -i -e '/^tty[0-9]/d' -e 's/^#ttyS0/ttyS0/' -e '/openrc/d' /etc/inittab
cat >>/etc/inittab <<.
::sysinit:/bin/sh /etc/boot
::shutdown:/bin/umount -a -r
.
cat >/etc/boot <<.
mount -o remount,rw /
hostname -F /etc/hostname
echo booted >>/var/log/boots
.
"""


class Console:
    """Someone at the console of a machine that boots from an image and keeps what is written."""

    def __init__(self, kernel, image, root="alpine", options=OPTIONS):
        self.image = image
        self.child = pexpect.spawn(TOOL, ["run", "--boot", "--kernel", kernel, "--timeout", "1200",
                                          *network(options), *options, "--keep", str(image), root],
                                   timeout=COMMAND_SECONDS, encoding="utf-8", codec_errors="replace",
                                   dimensions=(24, 250))
        self.child.delaybeforesend = 0

    def login(self, user, password, timeout=BOOT_SECONDS):
        self.child.expect("login: ", timeout=timeout)
        self.child.send(user + "\r")
        self.child.expect("[Pp]assword: ")
        self.child.send(password + "\r")

    def shell(self):
        self.child.expect("[#$] ")
        self.child.send("export TERM=dumb; PS1='@@''ready@@ '\r")
        self.child.expect_exact(PROMPT)

    def check(self, line, expected=None):
        """Types a line; it must succeed, and say what is expected."""
        self.child.send(line + "\r")
        self.child.expect_exact(line)
        self.child.expect_exact(PROMPT)
        said = self.child.before.replace("\r", "").strip("\n")
        self.child.send("echo status=$?\r")
        self.child.expect(r"status=(\d+)")
        assert self.child.match[1] == "0", f"{line}: {said}"
        self.child.expect_exact(PROMPT)
        if expected is not None:
            assert said == expected, line
        return said

    def set_password(self, command, word, by, old=None):
        self.child.send(command + "\r")
        if old:
            self.child.expect("[Oo]ld password: ")
            self.child.send(old + "\r")
        for _ in range(2):
            self.child.expect("password: ")
            self.child.send(word + "\r")
        self.child.expect_exact(f"password for jo changed by {by}")
        self.child.expect_exact(PROMPT)

    def off(self, how):
        self.child.send(how + "\r")
        self.child.expect(pexpect.EOF, timeout=BOOT_SECONDS)
        self.child.close()
        assert self.child.exitstatus == 0, self.child.before
        check = subprocess.run(["e2fsck", "-fn", self.image], env=ENV, capture_output=True, text=True, check=False)
        assert check.returncode == 0, check.stdout
        assert "journal recovery" not in check.stdout + check.stderr, "the file system was not unmounted"


@pytest.fixture
def alpine_image(kernel, tmp_path):
    image = tmp_path / "alpine.img"
    done = run("alpine", "sh", "-c", ALPINE, kernel=kernel, options=[*OPTIONS, "--keep", str(image)])
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return image


def test_alpine_boots_to_a_login(kernel, alpine_image):
    c = Console(kernel, alpine_image)
    c.login("root", "wrong")
    c.child.expect("Login incorrect")
    c.login("root", "secret")
    c.shell()
    c.check("id -un", "root")
    c.check("tty", "/dev/ttyS0")
    c.check("cat /proc/1/comm", "init")
    c.check("cat /var/log/boots", "booted")
    c.check("hostname", "localhost")
    c.check("ps -o comm | grep getty | wc -l", "0")

    c.check("adduser -D -s /bin/sh jo && echo jo:first | chpasswd", "chpasswd: password for 'jo' changed")
    c.set_password("passwd jo", "Two-words-more", "root")
    c.check("su jo -c 'id -un; pwd; umask'", "jo\n/root\n0022")
    c.check("su -l jo -c 'pwd; touch mine; ls -l mine | cut -d\" \" -f1'", "/home/jo\n-rw-r--r--")
    c.child.send("exit\r")

    c.login("jo", "Two-words-more")
    c.shell()
    c.check("id -un", "jo")
    c.check("cat /etc/shadow >/dev/null 2>&1 || echo no", "no")
    c.set_password("passwd", "Three-words-now", "jo", old="Two-words-more")
    c.child.send("su\r")
    c.child.expect("Password: ")
    c.child.send("secret\r")
    c.shell()
    c.check("id -un", "root")
    c.off("poweroff")

    c = Console(kernel, alpine_image)
    c.login("jo", "Three-words-now")
    c.shell()
    c.check("cat /var/log/boots", "booted\nbooted")
    c.check("ls /home/jo", "mine")
    c.child.send("exit\r")
    c.login("root", "secret")
    c.shell()
    c.off("reboot")


def test_debian_boots_by_sysvinit(kernel, tmp_path):
    root = str(roots.debian_tarball(DEBIAN_PACKAGES))
    image = tmp_path / "debian.img"
    done = run(root, "bash", "-c", DEBIAN, kernel=kernel, options=[*OPTIONS, "--keep", str(image)])
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    options = [*OPTIONS, "--net", "user"]
    c = Console(kernel, image, root, options)
    c.child.expect("login: ", timeout=BOOT_SECONDS)
    shown = c.child.before
    assert "INIT: Entering runlevel: 2" in shown and "bound to 10.0.2.15" in shown, shown
    assert not re.search(r"FAIL|failed|rror", shown.replace("errors=", "")), shown
    c.child.send("root\r")
    c.child.expect("[Pp]assword: ")
    c.child.send("secret\r")
    c.shell()
    c.check("cat /proc/1/comm; runlevel; tty; hostname", "init\nN 2\n/dev/ttyS0\nbox")
    c.check("cat /var/log/mark", "start")
    assert "10.0.2.15" in c.check("ip -4 -o addr show eth0")
    c.check("mount | sort | uniq -d; mount | grep -c ' on /sys type'", "1")
    c.check("touch kept; telinit 3")
    c.child.expect_exact("Using makefile-style concurrent boot in runlevel 3")
    c.check("until [ \"$(runlevel)\" = '2 3' ]; do sleep 0.1; done")
    c.off("reboot")
    assert "Hardware Clock updated" in c.child.before and "ERROR" not in c.child.before

    c = Console(kernel, image, root, options)
    c.login("root", "secret")
    c.shell()
    c.check("cat /var/log/mark; ls", "start\nstop\nstart\nkept")
    c.off("poweroff")


def test_a_root_without_init_says_so(kernel, tmp_path):
    (tmp_path / "root").mkdir()
    done = run(tmp_path / "root", kernel=kernel, options=["--boot", "--as", "initramfs"])
    assert done.returncode == 97
    assert b"/sbin/init: No such file or directory" in done.stdout
