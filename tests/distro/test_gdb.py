# SPDX-License-Identifier: MIT
"""The debugger's commands (tools/gdb/aramid.py), each on a machine whose init sleeps."""
import re
import subprocess

import pytest

from guest import TOP
from test_panic import start  # noqa: F401  (a fixture)

STUB = ["-chardev", "socket,id=gdb,path={},server=on,wait=off", "-gdb", "chardev:gdb"]


@pytest.fixture(params=["release", "debug"])
def gdb(request, start, tmp_path):  # noqa: F811
    """The output of each given command."""
    kernel = {"release": "aramid", "debug": "aramid-debug"}[request.param]
    if request.param == "debug":
        request.getfixturevalue("debug_kernel")
    path = tmp_path / "gdb"
    guest = start("build/stress/idle_init", smp=2, kernel=str(TOP / "build" / kernel),
                  qemu=[word.format(path) for word in STUB])
    log, _ = guest.read(b"init sleeps")
    assert "init sleeps" in log, log

    def ask(*commands):
        marks = [word for i, c in enumerate(commands)
                 for word in ("-ex", c, "-ex", f"echo \\n=={i}==\\n")]
        done = subprocess.run(
            ["gdb", "-nx", "-batch", TOP / "build" / f"{kernel}.debug", "-x",
             TOP / "tools" / "gdb" / "aramid.py", "-ex", f"target remote {path}",
             "-ex", "echo \\n====\\n", *marks, "-ex", "detach"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        parts = re.split(r"\n==\d*==\n", done.stdout)
        assert len(parts) == len(commands) + 2, done.stdout + done.stderr
        return request.param, parts[1:-1], done.stderr
    return ask


def test_every_command(gdb):
    build, said, errors = gdb("aramid-threads", "aramid-stack 1", "aramid-regions 1", "aramid-mounts",
                              "aramid-log 3", "aramid-log", "aramid-locks", "aramid-percpu g_sched_in_softirq")
    threads, stack, regions, mounts, last, log, locks, per_cpu = said
    assert "Python Exception" not in errors and "Error" not in errors, errors
    assert re.search(r"^0xf+[0-9a-f]+ +1 +[01] interruptible +init$", threads, re.M), threads
    assert re.search(r" +- +0 interruptible +kswapd$", threads, re.M), threads
    assert re.search(r"\bsys_pause\b", stack), stack
    assert re.search(r"^0000000000400000-[0-9a-f]{16} r-?-?-?\S* ", regions, re.M), regions
    assert " rw-p " in regions and "vvar" in regions, regions
    assert re.search(r"^ *\d+ \S+ on / flags 0x", mounts, re.M), mounts
    assert len(last.strip().splitlines()) == 3 and log.endswith(last), last
    assert re.match(r"<\d>\[ +\d+\.\d{6}\] \S", log), log[:200]
    if build == "debug":
        assert re.search(r"^\S+ +taken +[1-9]\d* contended +\d+$", locks, re.M), locks
    else:
        assert "only kernels built with DEBUG=1" in locks
    assert re.findall(r"CPU (\d): ", per_cpu) == ["0", "1"], per_cpu
