# SPDX-License-Identifier: MIT
"""Debian's e2fsprogs and util-linux on a mounted ext4: what they say is the same under both kernels,
and e2fsck finds nothing to complain about."""
from guest import run

SESSION = r"""
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
d=/dev/vdb
mkdir -p /m; ln -sf /proc/mounts /etc/mtab
mke2fs -q -F -t ext4 -b 1024 $d 40M && mount $d /m && cd /m || exit 9
python3 - <<'END'
import os
files = [os.open("/m/f%d" % i, os.O_RDWR | os.O_CREAT) for i in range(4)]
for k in range(40):
    for i, f in enumerate(files):
        os.pwrite(f, bytes([k + i]) * 4096, k * 4096)
        os.fsync(f)
END
sha1sum f* > /sums
e4defrag f0 >/dev/null; echo defrag $?
e4defrag . >/dev/null; echo defrag $?
filefrag f0 f1 f2 f3
echo 3 > /proc/sys/vm/drop_caches
sha1sum -c --quiet /sums; echo sums $?
fsfreeze -f /m; echo freeze $?
fsfreeze -f /m 2>/dev/null; echo freeze $?
fsfreeze -u /m; echo thaw $?
fsfreeze -u /m 2>/dev/null; echo thaw $?
touch -d '2300-01-02 03:04:05.6 UTC' f0; touch -d '1890-01-01 UTC' f1; touch -d '2500-01-01 UTC' f2
sync
for f in f0 f1 f2; do debugfs -R "stat /$f" $d 2>/dev/null | grep mtime; done
tune2fs -L label $d >/dev/null; echo tune2fs $?
tune2fs -m 2 -e remount-ro $d >/dev/null; echo tune2fs $?
tune2fs -O quota $d >/dev/null 2>&1; echo tune2fs $?
e2label $d
resize2fs $d >/dev/null 2>&1; echo resize2fs $?
resize2fs $d 20M >/dev/null 2>&1; echo resize2fs $?
df -k /m | tail -1 | awk '{print $2}'
cd /
umount /m
e2fsck -fn $d >/log 2>&1 || cat /log
tune2fs -l $d | grep -E '^(Block count|Reserved block count|Errors behavior|Filesystem state|Filesystem volume)' | tr -s ' '
"""

SAID = """\
defrag 0
defrag 0
f0: 1 extent found
f1: 1 extent found
f2: 1 extent found
f3: 1 extent found
sums 0
freeze 0
freeze 1
thaw 0
thaw 1
 mtime: 0x6cb757a5:8f0d1802 -- Tue Jan  2 03:04:05 2300
 mtime: 0x80000000:00000000 -- Fri Dec 13 20:45:52 1901
 mtime: 0x7fffffff:00000003 -- Thu May 10 22:38:55 2446
tune2fs 0
tune2fs 0
tune2fs 1
label
resize2fs 0
resize2fs 1
90073
Filesystem volume name: label
Filesystem state: clean
Errors behavior: Remount read-only
Block count: 102400
Reserved block count: 1433
"""


def test_tools_of_a_mounted_ext4(tmp_path, kernel):
    disk = tmp_path / "disk"
    with open(disk, "wb") as f:
        f.truncate(100 << 20)
    done = run("debian", "sh", "-c", SESSION, kernel=kernel, timeout=500,
               options=["--disk", str(disk), "--mem", "512M"])
    assert done.stdout.decode().replace("\r", "") == SAID, done.stderr.decode(errors="replace")[-2000:]
