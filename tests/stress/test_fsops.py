# SPDX-License-Identifier: MIT
"""A long stream of random operations on ext4: each kernel answers the same, a later boot sees the same
tree, each kernel reads what the other has written, and e2fsck finds nothing."""
import os
import re
import subprocess

import pytest

from guest import TOP, run

ROOT = TOP / "build" / "stress" / "root"
TREE = re.compile(r"worker (\d+):.* tree (\w+)")
ENV = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
OPERATIONS = 1500
LONG_OPERATIONS = 30000
SEED = 1

CASES = [(1, ()), (2, ("--", "-b", "1024")), (4, ("--", "-O", "^extents,^flex_bg,^64bit"))]


def pytest_generate_tests(metafunc):
    metafunc.parametrize("kernel", metafunc.config.getoption("--kernels").split(","), scope="module")


@pytest.fixture(scope="module")
def answers():
    """What the first kernel said, by case: the others must say the same."""
    return {}


def ran(done):
    said = done.stdout.decode(errors="replace")
    assert done.returncode == 0, said + done.stderr.decode(errors="replace")[-2000:]
    return sorted(said.strip().split("\n"))


def compare(kernel, answers, tmp_path, cpus, mkfs, operations, seed):
    image = tmp_path / "disk.img"
    subprocess.run([TOP / "tools/mkimage", "--size", "300M", ROOT, image, *mkfs], check=True)
    options = ["--smp", str(cpus), "--mem", "256M", "--keep", str(image)]
    said = ran(run(ROOT, "/bin/fsops", "run", str(seed), str(operations), str(cpus), "/work", kernel=kernel,
                   options=options, timeout=1800))
    check = subprocess.run(["e2fsck", "-fn", image], env=ENV, capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stdout
    trees = TREE.findall("\n".join(said))
    assert len(trees) == cpus
    for reader in {"aramid", "linux"}:
        seen = ran(run(ROOT, "/bin/fsops", "tree", str(cpus), "/work", kernel=reader, options=options,
                       timeout=600))
        assert TREE.findall("\n".join(seen)) == trees, f"{reader} reads another tree than {kernel} wrote"
    case = (cpus, mkfs, operations, seed)
    assert answers.setdefault(case, said) == said, "the kernels' answers differ"


@pytest.mark.parametrize("cpus,mkfs", CASES)
def test_random_operations(kernel, answers, tmp_path, cpus, mkfs):
    compare(kernel, answers, tmp_path, cpus, mkfs, OPERATIONS, SEED)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 6))
@pytest.mark.parametrize("cpus,mkfs", CASES)
def test_many_random_operations(kernel, answers, tmp_path, cpus, mkfs, seed):
    compare(kernel, answers, tmp_path, cpus, mkfs, LONG_OPERATIONS, seed)
