# SPDX-License-Identifier: MIT
"""Files many times as large as memory: writeback and reclaim keep up, nobody is killed, and what has been read
stays cached."""
import hashlib
import os
import subprocess

import pytest

from guest import run

ENV = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
MEMORY = {"aramid": ["24M", "64M"], "linux": ["96M", "96M"]}  # small, and as large as users have it

COPY = """
mkdir /m && mount -t ext4 /dev/vdb /m && cp /m/data /m/copy || exit 9
sed -n 's/^Cached: *//p' /proc/meminfo
sync; md5sum </m/copy
umount /m; dmesg | grep -i -E 'out of memory|oom|killed'
exit 0
"""


@pytest.mark.parametrize("large,mib", [(False, 200), pytest.param(True, 1024, marks=pytest.mark.long)])
def test_copy_with_little_memory(kernel, tmp_path, large, mib):
    memory = MEMORY[kernel][large]
    folder, disk, sums = tmp_path / "folder", tmp_path / "disk", hashlib.md5()
    folder.mkdir()
    with open(folder / "data", "wb") as f:
        for _ in range(mib):
            chunk = os.urandom(1 << 20)
            sums.update(chunk)
            f.write(chunk)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", folder, disk, f"{3 * mib}M"], env=ENV, check=True)
    done = run("alpine", "sh", "-c", COPY, kernel=kernel, timeout=1200,
               options=["--mem", memory, "--smp", "2", "--disk", str(disk)])
    said = done.stdout.decode().split("\n")
    assert done.returncode == 0, (said, done.stderr.decode()[-2000:])
    assert said[1:] == [f"{sums.hexdigest()}  -", ""], said
    assert int(said[0].split()[0]) > int(memory[:-1]) * 1024 // 4, f"{said[0]} cached of {memory}"
    check = subprocess.run(["e2fsck", "-fn", disk], env=ENV, capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stdout
