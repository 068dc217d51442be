# SPDX-License-Identifier: MIT
"""A virtio disk that grows while the guest uses it (QMP's block_resize)."""
import json
import socket
import subprocess
import time

import pytest

import guest

MIB = 1 << 20
SECONDS = 120

# Says what the disk has; then, when that has changed, what it has and what is behind the old end.
SCRIPT = """
d=/sys/block/{disk}
[ -e $d ] || d=/sys/block/vda
echo size $(cat $d/size)
n=0
while [ $(cat $d/size) = {before} ] && [ $n -lt 600 ]; do sleep 0.1; n=$((n + 1)); done
echo size $(cat $d/size)
dd if=/dev/${{d##*/}} bs=1M skip={last} count=1 2>/dev/null | wc -c
"""


class Monitor:
    """QEMU's machine protocol on a socket of the file system."""

    def __init__(self, path):
        deadline = time.monotonic() + SECONDS
        self.socket = socket.socket(socket.AF_UNIX)
        while True:
            try:
                self.socket.connect(path)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        self.file = self.socket.makefile("rw")
        self.file.readline()
        self.call("qmp_capabilities")

    def call(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline())
            if "error" in answer:
                raise OSError(answer["error"]["desc"])
            if "return" in answer:
                return answer["return"]


@pytest.mark.parametrize("machine", ["q35", "microvm"])
def test_a_disk_that_grows_is_noticed(tmp_path, kernel, machine):
    if kernel == "linux" and machine == "microvm":
        # "tsc: could not calculate TSC khz": no HPET, no PM timer, and the PIT is too coarse under emulation.
        pytest.skip("Debian's Linux often can't measure its clock there and stands still")
    disk, control = tmp_path / "disk", tmp_path / "qmp"
    with open(disk, "wb") as f:
        f.truncate(8 * MIB)
    script = SCRIPT.format(disk="vdb", before=8 * MIB // 512, last=15)
    line = [guest.TOOL, "run", "--net", "none", "--kernel", kernel, "--machine", machine, "--timeout",
            str(SECONDS), "--disk", str(disk), "--qemu=-qmp", f"--qemu=unix:{control},server=on,wait=off",
            "busybox", "--", "sh", "-c", script]
    with subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline().split() == ["size", str(8 * MIB // 512)]
        monitor = Monitor(str(control))
        names = [b["inserted"]["node-name"] for b in monitor.call("query-block")
                 if b.get("inserted", {}).get("file") == str(disk)]
        monitor.call("block_resize", **{"node-name": names[0], "size": 16 * MIB})
        rest = run.stdout.read().split()
        assert rest == ["size", str(16 * MIB // 512), str(MIB)]
        assert run.wait() == 0
