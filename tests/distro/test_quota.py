# SPDX-License-Identifier: MIT
"""Debian's quota tools on ext4 with the feature quota: the same session under both kernels has the
same output, and e2fsck agrees with what is left."""
import pathlib
import re
import shutil
import subprocess
import sys

from guest import TOP, run

sys.path.insert(0, str(TOP / "tools"))
from vm import kernels  # noqa: E402

TOOLS = ["/usr/sbin/repquota", "/usr/sbin/setquota", "/usr/sbin/quotaon", "/usr/bin/quota",
         "/usr/bin/chattr"]
SESSION = r"""
export PATH=/bin:/usr/sbin
insmod /quota_tree.ko 2>/dev/null; insmod /quota_v2.ko 2>/dev/null
mount -t ext4 -o usrquota,grpquota,prjquota /dev/vdb /mnt || exit 9
grep vdb /proc/mounts
chmod 777 /mnt
ln -s /proc/self/mounts /etc/mtab 2>/dev/null
quotaon -p /mnt
repquota -v -u /mnt
setquota -u alice 100 200 5 8 /mnt; echo $?
su alice -c 'dd if=/dev/zero of=/mnt/a bs=4k count=30' 2>&1 | grep -v copied
su alice -c 'dd if=/dev/zero of=/mnt/a bs=4k count=60' 2>&1 | grep -v copied
su alice -c 'for i in 1 2 3 4 5 6 7 8 9; do : > /mnt/f$i; done'; ls /mnt
repquota -u /mnt
repquota -g /mnt
su alice -c 'quota -u alice; quota -u bob'
setquota -t 600 700 /mnt; repquota -u /mnt | head -3
chown bob /mnt/a; repquota -u /mnt
su alice -c 'chgrp bob /mnt/f1'; echo $?
quotaon /mnt; echo on $?
su alice -c 'setquota -u alice 0 0 0 0 /mnt'; echo $?
mkdir /mnt/p; chattr -p 77 +P /mnt/p; echo x > /mnt/p/x; setquota -P 77 1000 2000 10 20 /mnt; echo $?
mv /mnt/f2 /mnt/p/; ln /mnt/f3 /mnt/p/l; mv /mnt/p/x /mnt/xx; echo $?
sync; repquota -P /mnt | tail -4
setquota -u 123456 1 2 3 4 /mnt; repquota -n -v -u /mnt | tail -8
rm -r /mnt/p /mnt/f*; umount /mnt; echo umount $?
"""


def make_root(folder):
    for d in ("bin", "usr/sbin", "etc", "proc", "sys", "dev", "tmp", "mnt"):
        (folder / d).mkdir(parents=True)
    busybox = shutil.which("busybox")
    shutil.copy(busybox, folder / "bin" / "busybox")
    for name in subprocess.run([busybox, "--list"], check=True, capture_output=True,
                               text=True).stdout.split():
        if name != "busybox":
            (folder / "bin" / name).symlink_to("busybox")
    for tool in TOOLS:
        shutil.copy(tool, folder / "usr/sbin")
        libraries = subprocess.run(["ldd", tool], check=True, capture_output=True, text=True).stdout
        for path in re.findall(r"(/\S+)", libraries):
            target = folder / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    users = (("root", 0), ("alice", 1000), ("bob", 1001))
    (folder / "etc/passwd").write_text("".join(f"{n}:x:{i}:{i}::/:/bin/sh\n" for n, i in users))
    (folder / "etc/group").write_text("".join(f"{n}:x:{i}:\n" for n, i in users))
    modules = pathlib.Path(kernels.find("linux").path).parents[1] / "lib/modules"
    for module in ("quota_tree.ko", "quota_v2.ko"):
        shutil.copy(next(modules.rglob(module)), folder / module)
    return folder


def session(root, image, kernel):
    with open(image, "wb") as f:
        f.truncate(64 << 20)
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-O", "quota,project",
                    "-E", "quotatype=usrquota:grpquota:prjquota", image], check=True)
    done = run(root, "sh", "-c", SESSION, kernel=kernel, options=("--as", "ext4", "--disk", image))
    checked = subprocess.run(["e2fsck", "-fn", image], check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    # Seven days, or a second less.
    return [re.sub(r"\S*days|\d\d:\d\d", "TIME", t.decode()).splitlines()
            for t in (done.stdout, done.stderr)]


def test_quota_tools_say_the_same_as_under_linux(tmp_path):
    root = make_root(tmp_path / "root")
    theirs = session(root, str(tmp_path / "linux.img"), "linux")
    ours = session(root, str(tmp_path / "aramid.img"), "aramid")
    assert ours == theirs
