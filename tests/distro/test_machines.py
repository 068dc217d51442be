# SPDX-License-Identifier: MIT
"""The same small piece of work on every kind of machine: CPUs, boards, CPU models, builds, RAM."""
import hashlib
import os

import pytest

from guest import TOP, run

WORK = """
set -e
nproc
for i in $(seq 1 20); do (seq 1 200 | sort -rn | tail -n 1 >/tmp/out.$i) & done; wait
cat /tmp/out.* | sort -u
dd if=/dev/urandom bs=64k count=16 2>/dev/null | tee /tmp/a | sha256sum >/tmp/sum
sha256sum </tmp/a | cmp - /tmp/sum
apk info 2>/dev/null | wc -l
exit 3
"""

MACHINES = [(board, cpus) for board in ("q35", "microvm", "pc") for cpus in (1, 2, 4)]


def work(kernel, cpus, *options):
    done = run("alpine", "sh", "-c", WORK, kernel=kernel, options=["--smp", str(cpus), *options])
    said = done.stdout.decode(errors="replace").split()
    assert (said, done.returncode) == ([str(cpus), "1", "14"], 3), \
        done.stderr.decode(errors="replace")[-3000:]


@pytest.mark.parametrize("board,cpus", MACHINES)
def test_release_build(kernel, board, cpus):
    work(kernel, cpus, "--machine", board)


@pytest.mark.parametrize("board,cpus", [("q35", 1), ("q35", 2), ("q35", 4), ("microvm", 2)])
def test_debug_build(kernel, request, board, cpus):
    if kernel != "aramid":
        pytest.skip("a build of Aramid")
    work(request.getfixturevalue("debug_kernel"), cpus, "--machine", board)


def test_build_by_clang(kernel):
    if kernel != "aramid":
        pytest.skip("a build of Aramid")
    work(str(TOP / "build" / "aramid-clang"), 2)


def test_plain_64_bit_cpu(kernel):
    """Without NX's newer companions: SMEP, SMAP, UMIP, FSGSBASE, PCID, XSAVE."""
    work(kernel, 2, "--cpu", "qemu64")


def test_24_mib_of_ram(kernel):
    if kernel == "linux":
        pytest.skip("Debian's Linux needs 72 to 76 MiB")
    work(kernel, 1, "--mem", "24M")


DISKS = """
set -e
for d in vdb vdc vdd; do
	test $(cat /sys/block/$d/size) = 8192
	dd if=/dev/$d bs=1M iflag=direct 2>/dev/null | sha256sum | cut -c1-64
done
dd if=/dev/urandom of=/dev/vdb bs=4k count=1024 oflag=direct 2>/dev/null
dd if=/dev/urandom of=/dev/vdc bs=1M count=4 2>/dev/null
dd if=/dev/vdb of=/dev/vdd bs=64k conv=fsync 2>/dev/null
cmp /dev/vdb /dev/vdd
"""


@pytest.mark.parametrize("board,cpus", [("q35", 4), ("pc", 1), ("microvm", 1), ("microvm", 4)])
def test_several_disks(kernel, tmp_path, board, cpus):
    options, sums = ["--smp", str(cpus), "--machine", board], []
    for i in range(3):
        path = tmp_path / f"disk{i}"
        path.write_bytes(os.urandom(4 << 20))
        sums.append(hashlib.sha256(path.read_bytes()).hexdigest())
        options += ["--disk", str(path)]
    done = run("alpine", "sh", "-c", DISKS, kernel=kernel, options=options)
    said = done.stdout.decode(errors="replace").split()
    assert (said, done.returncode) == (sums, 0), done.stderr.decode(errors="replace")[-3000:]
    one, other, copy = ((tmp_path / f"disk{i}").read_bytes() for i in range(3))
    assert one == copy and one != other
    assert sums[0] != hashlib.sha256(one).hexdigest()


@pytest.mark.parametrize("cpus", [1, 2])
def test_no_notification_of_a_full_queue_is_lost(kernel, cpus):
    """Thousands of small writes at once. On one CPU, QEMU before 8.1 leaves out barriers."""
    done = run(TOP / "build/bench/root", "/bin/bench", "10", "disk_randwrite_4k", "disk_write_1m", kernel=kernel,
               options=["--as", "ext4", "--smp", str(cpus), "--mem", "512M"])
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-3000:]
    assert b"BENCH disk_randwrite_4k" in done.stdout, done.stdout
