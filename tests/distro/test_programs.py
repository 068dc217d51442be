# SPDX-License-Identifier: MIT
"""Debian's fio, dbench, fs_mark, bonnie++, git, sqlite and stress-ng at work on ext4: they succeed, what
they leave is the same under both kernels, and e2fsck finds nothing."""
import functools
import os
import subprocess
import sys

import pytest

from guest import TOP, run

sys.path.insert(0, str(TOP / "tools"))
from vm import roots  # noqa: E402

SCRIPT = TOP / "tests" / "distro" / "programs.sh"
PACKAGES = "fio,dbench,fsmark,bonnie++,git,sqlite3,stress-ng"
ENV = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}

pytestmark = pytest.mark.long


@functools.cache
def debian_with_programs():
    return roots.debian_tarball(PACKAGES)


@pytest.fixture(scope="module")
def answers():
    """What the first kernel said, by part: the others must say the same."""
    return {}


@pytest.mark.parametrize("part", ["fio", "files", "git", "sqlite", "stress"])
def test_programs(kernel, answers, tmp_path, part):
    disk = tmp_path / "disk"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", disk, "400M"], env=ENV, check=True)
    done = run(debian_with_programs(), "bash", "-c", 'mkdir /data && mount /dev/vdb /data && exec bash -s "$0"', part,
               stdin=SCRIPT.read_bytes(), kernel=kernel, timeout=3000, options=["--smp", "2", "--disk", str(disk)])
    said = done.stdout.decode()
    assert done.returncode == 0, said + done.stderr.decode()[-4000:]
    lines = said.strip().split("\n")
    assert lines and all(line.split()[1] == "0" for line in lines), said + done.stderr.decode()[-4000:]
    assert answers.setdefault(part, lines) == lines, "the kernels' answers differ"
    check = subprocess.run(["e2fsck", "-fn", disk], env=ENV, capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stdout
