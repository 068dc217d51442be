# SPDX-License-Identifier: MIT
"""Debian's compilers, git, sqlite, PostgreSQL and redis, installed over the network by apt-get and at work: the
answers are the expected ones under both kernels, and e2fsck finds nothing."""
import os
import subprocess

import pytest

from guest import TOP, run

SCRIPT = TOP / "tests" / "distro" / "packages.sh"
ENV = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
EXPECTED = {
    "extension": "5000050000", "project": "1640", "cplusplus": "1498500", "sqlite": "5000|41679167500 ok",
    "git": "9ff1af7aaba0f213d16fc0ec2570aa0eb1eb5bf8 30",
    "postgres-load": "20000|300015000.0|fffb8ef15de06d87e6ba6c830f3b6284",
    "postgres-undo": "10000|150000000.0 777", "pgbench-count": "200", "postgres-kept": "200 10000|150000000.0",
    "redis-set": "OK", "redis-kept": "5"}

pytestmark = pytest.mark.long


def test_packages_are_installed_and_work(kernel, tmp_path):
    image = tmp_path / "debian.img"
    done = run("debian", "bash", "-s", stdin=SCRIPT.read_bytes(), kernel=kernel, timeout=3600,
               options=["--smp", "2", "--mem", "1G", "--net", "user", "--keep", str(image)])
    said = done.stdout.decode()
    assert done.returncode == 0, said + done.stderr.decode()[-4000:]
    answers = [(line.split(" ", 2) + [""])[:3] for line in said.strip().split("\n")]
    assert len(answers) == 30 and all(status == "0" for _, status, _ in answers), said + done.stderr.decode()[-4000:]
    for name, _, answer in answers:
        assert answer == EXPECTED.get(name, ""), said
    check = subprocess.run(["e2fsck", "-fn", image], env=ENV, capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stdout
