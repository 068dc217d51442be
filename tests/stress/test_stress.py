# SPDX-License-Identifier: MIT
"""Hundreds of processes on 4 CPUs for a minute, on the release and the debug build: nothing is
lost, nothing leaks, and the kernel has nothing to complain about."""
import os
import re
import subprocess

import pytest

from guest import TOP, run

ROOT = TOP / "build" / "stress" / "root"
SECONDS = 60
WORKERS = 300
COMPLAINTS = re.compile(r"BUG|WARN|Oops|leak|corrupt|hung|deadlock|panic:", re.I)


def pytest_generate_tests(metafunc):
    metafunc.parametrize("kernel", metafunc.config.getoption("--kernels").split(","))


def kernel_of(kernel, build):
    if build == "release":
        return kernel
    if kernel != "aramid":
        pytest.skip("a build of Aramid")
    subprocess.run(["make", "-s", "-j", str(os.cpu_count()), "-C", TOP, "DEBUG=1"], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return str(TOP / "build" / "aramid-debug")


@pytest.mark.parametrize("build", ["release", "debug"])
def test_stress(kernel, build):
    done = run(ROOT, "/bin/stress", str(SECONDS), str(WORKERS), kernel=kernel_of(kernel, build),
               timeout=SECONDS * 8, options=["--as", "initramfs", "--smp", "4", "--mem", "1G", "-v"])
    log = done.stderr.decode(errors="replace")
    assert done.returncode == 0, f"status {done.returncode}\n{done.stdout.decode()}\n{log[-3000:]}"
    complaints = [line for line in log.split("\n") if COMPLAINTS.search(line)]
    assert kernel == "linux" or not complaints, "\n".join(complaints)
