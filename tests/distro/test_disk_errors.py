# SPDX-License-Identifier: MIT
"""Disks that fail under the real driver (QEMU's blkdebug): programs are told, nothing hangs, and what was
promised is there afterwards, in a file system in which e2fsck finds nothing broken."""
import hashlib
import inspect
import os
import re
import subprocess

import pytest

from guest import run

ENV = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
FILES = 16


def content(i, size=20032):
    return hashlib.sha512(b"%d" % i).digest() * (size // 64)


# Each disk lives through the same: files are written and synced, some replaced, all read again. A file
# is promised when its fsync and the one of its folder have succeeded.
WORK = "import hashlib, os, subprocess, sys\n\n" + inspect.getsource(content) + f"""

def sync(path, data=None):
    fd = os.open(path, os.O_RDONLY if data is None else os.O_RDWR | os.O_CREAT)
    try:
        if data is not None and os.write(fd, data) != len(data):
            raise OSError("short")
        os.fsync(fd)
    finally:
        os.close(fd)

def mount(*arguments):
    return subprocess.run(arguments, stderr=subprocess.DEVNULL).returncode

for disk in sys.argv[1:]:
    top, told = "/m/" + disk, 0
    os.makedirs(top)
    if mount("mount", "-t", "ext4", "/dev/" + disk, top):
        print("refused", disk)
        continue
    for i in range({FILES}):
        name = f"d{{i % 3}}/f{{i}}"
        folder = os.path.dirname(f"{{top}}/{{name}}")
        try:
            os.makedirs(folder, exist_ok=True)
            sync(f"{{top}}/{{name}}.new", content(i))
            os.rename(f"{{top}}/{{name}}.new", f"{{top}}/{{name}}")
            sync(folder)
            print("promised", disk, name, i)
        except OSError:
            told += 1
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("3")
    for i in range({FILES}):
        try:
            with open(f"{{top}}/d{{i % 3}}/f{{i}}", "rb") as f:
                if f.read() != content(i):
                    print("wrong", disk, i)
        except OSError:
            told += 1
    mount("umount", top)
    with open("/proc/mounts") as f:
        print("told" if told else "untold", disk, "mounted" if top in f.read() else "gone")
"""


def nth(event, iotype, n, once):
    """blkdebug's rules: the nth such request fails, or all from there on."""
    rules = [f'[set-state]\nevent = "{event}"\nstate = "{i}"\nnew_state = "{i + 1}"\n'
             for i in range(1, n + once)]
    rules.append(f'[inject-error]\nevent = "{event}"\niotype = "{iotype}"\nstate = "{n}"\n'
                 f'errno = "5"\nonce = "{"on" if once else "off"}"\n')
    return "\n".join(rules)


WRITE, READ, FLUSH = ("write_aio", "write"), ("read_aio", "read"), ("flush_to_disk", "flush")
CASES = {
    "one_write": [(*WRITE, n, True) for n in (1, 2, 3, 5, 8, 13, 21, 34)],
    "writes_from": [(*WRITE, n, False) for n in (1, 3, 6, 12, 24, 48)],
    "one_flush": [(*FLUSH, n, True) for n in (1, 2, 3, 5, 8, 13)],
    "reads": [(*READ, n, once) for n in (1, 4, 8, 12) for once in (True, False)],
}


def mended(text):
    """Did e2fsck fix more than the totals of the super block, which are written at unmount only?"""
    return "Fix" in re.sub(r"Free (blocks|inodes) count wrong \(\d+, counted=\d+\)\.\nFix\? yes\n", "", text)


def e2fsck(image):
    return subprocess.run(["e2fsck", "-fy", image], env=ENV, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("errors", ["remount-ro", pytest.param("continue", marks=pytest.mark.long)])
@pytest.mark.parametrize("case", CASES)
def test_failing_disk(kernel, tmp_path, case, errors):
    options, disks = ["--smp", "2"], {}
    for i, rule in enumerate(CASES[case]):
        disk = f"vd{chr(ord('b') + i)}"
        image, config = tmp_path / f"{disk}.img", tmp_path / f"{disk}.conf"
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-e", errors, image, "16M"], env=ENV, check=True)
        config.write_text(nth(*rule), encoding="ascii")
        disks[disk] = image
        for argument in ("-blockdev", f"driver=raw,node-name={disk},file.driver=blkdebug,file.config={config},"
                         f"file.image.driver=file,file.image.filename={image}",
                         "-device", f"virtio-blk-pci,drive={disk}"):
            options.append(f"--qemu={argument}")
    done = run("debian", "python3", "-c", WORK, *disks, kernel=kernel, options=options, timeout=600)
    said = done.stdout.decode()
    assert done.returncode == 0, said + done.stderr.decode()[-3000:]
    assert "wrong" not in said, said
    for disk, image in disks.items():
        rule = f"{disk}: {CASES[case][list(disks).index(disk)]}"
        assert re.search(f"^(told|untold|refused) {disk}", said, re.M), f"{rule} was not tried\n{said}"
        check = e2fsck(image)
        assert check.returncode in (0, 1) and not mended(check.stdout), f"{rule}\n{check.stdout}"
        for name, i in re.findall(rf"^promised {disk} (\S+) (\d+)$", said, re.M):
            got = subprocess.run(["debugfs", "-R", f"cat /{name}", image], env=ENV, capture_output=True,
                                 check=True).stdout
            assert got == content(int(i)), f"{rule}: {name} was promised\n{said}"
    assert f"told {list(disks)[0]}" in said or "refused" in said, f"nobody was told of anything\n{said}"
