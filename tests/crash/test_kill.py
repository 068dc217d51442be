# SPDX-License-Identifier: MIT
"""Machines are killed at random moments: nothing promised is lost, and e2fsck finds nothing (kill.py)."""
import pathlib
import subprocess
import sys

import pytest

KILL = pathlib.Path(__file__).with_name("kill.py")

pytestmark = pytest.mark.long


@pytest.mark.parametrize("work,count", [("files", 100), ("sqlite", 40), ("git", 40)])
def test_nothing_promised_is_lost_by_kills(request, work, count):
    for kernel in request.config.getoption("--kernels").split(","):
        done = subprocess.run([sys.executable, KILL, "--work", work, "--count", str(count), "--kernel", kernel],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False)
        assert done.returncode == 0, done.stdout[-4000:]
