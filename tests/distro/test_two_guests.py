# SPDX-License-Identifier: MIT
"""Two machines on one line, good and bad: every transfer is right. Aramid with Aramid, and each way
with Linux."""
import pytest

from badline import BadLine
from guest import Terminal

pytestmark = pytest.mark.long

LINES = {
    "good": {},
    "loss": {"loss": 0.02, "delay": 0.005},
    "reordering": {"reorder": 0.1, "late": 0.03, "delay": 0.002},
    "everything": {"loss": 0.01, "dup": 0.02, "spoil": 0.01, "reorder": 0.05, "delay": 0.01},
}
MIB = 1 << 20
SIZE = 4 * MIB
SECONDS = 300

# Octets that both ends can tell, both ways at once; the answer is how many were right.
PROGRAM = f"""
import hashlib, socket, sys, threading, time
SIZE = {SIZE}
def stream(side):
    block = b"".join(hashlib.sha256(b"%d %d" % (side, i)).digest() for i in range(2048))
    for at in range(0, SIZE, len(block)):
        yield block[:SIZE - at]
side, family = int(sys.argv[1]), socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET
if side:
    l = socket.socket(family)
    l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    l.bind((sys.argv[2], 5000))
    l.listen()
    s = l.accept()[0]
else:
    while True:
        try:
            s = socket.create_connection((sys.argv[2], 5000), timeout={SECONDS})
            break
        except ConnectionRefusedError: # the other machine is not that far yet
            time.sleep(0.2)
s.settimeout({SECONDS})
def send():
    for block in stream(side):
        s.sendall(block)
    s.shutdown(socket.SHUT_WR)
t = threading.Thread(target=send)
t.start()
right = 0
with s.makefile("rb") as f:
    for block in stream(1 - side):
        got = f.read(len(block))
        if got != block:
            break
        right += len(got)
    more = f.read(1)
t.join()
print("right", right, "and", len(more), "more")
"""


class Pair:
    def __init__(self, kernels, line):
        self.line = BadLine(**LINES[line])
        self.guests = []
        for nr, kernel in enumerate(kernels):
            guest = Terminal("debian", kernel, shell="bash", options=self.line.options(nr))
            self.guests.append(guest)
            guest.check(f"ip link set eth0 up && ip addr add 10.1.0.{nr + 1}/24 dev eth0 && "
                        f"ip addr add fd00::{nr + 1}/64 dev eth0 nodad")
            guest.check(f"cat >/tmp/both.py <<'END'{PROGRAM}END")

    def close(self):
        for guest in self.guests:
            guest.close()
        self.line.close()


def pairs(kernel):
    """With Linux as the kernel to test: that the test is right."""
    return [("linux", "linux")] if kernel == "linux" else [
        (kernel, kernel), (kernel, "linux"), ("linux", kernel)]


@pytest.mark.parametrize("line", LINES)
def test_every_transfer_is_right(kernel, line):
    for kernels in pairs(kernel):
        pair = Pair(kernels, line)
        try:
            a, b = pair.guests
            for address in ("10.1.0.2", "fd00::2"):
                b.send_line(f"python3 /tmp/both.py 1 {address}")
                wanted = f"right {SIZE} and 0 more"
                a.check(f"python3 /tmp/both.py 0 {address}", wanted, timeout=SECONDS)
                assert wanted in b.prompt(timeout=SECONDS)
            if line != "good":
                assert pair.line.passed > 2 * SIZE / 1500
        finally:
            pair.close()
