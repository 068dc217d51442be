# SPDX-License-Identifier: MIT
"""virtio-net on a tap of the host's: large frames and unfinished checksums both ways, several queues, devices that
can do nothing of it, memory that runs short. Every transfer is right."""
import re
import subprocess
import sys

import pytest

from guest import run
from taps import Namespace, tap_options, tap_script

HOST4, HOST6 = "10.3.0.1", "fd03::1"
CONNECTIONS = 6
SIZE = 3 << 20
SECONDS = 240

# Both ends of the connections; octets that both can tell, both ways at once.
BOTH = f"""
import hashlib, socket, sys, threading
SIZE, CONNECTIONS = {SIZE}, {CONNECTIONS}
BASE = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(4096))
def stream(side, nr):
    turn = (side * 7 + nr) * 977 % len(BASE)
    block = BASE[turn:] + BASE[:turn]
    for at in range(0, SIZE, len(block)):
        yield block[:SIZE - at]
def talk(s, side, nr, out):
    s.settimeout({SECONDS})
    def send():
        for block in stream(side, nr):
            s.sendall(block)
        s.shutdown(socket.SHUT_WR)
    t = threading.Thread(target=send)
    t.start()
    right = 0
    with s.makefile("rb") as f:
        for block in stream(1 - side, nr):
            if f.read(len(block)) != block:
                break
            right += len(block)
        more = f.read(1)
    t.join()
    out.append(right - len(more))
def all_of(sockets, side):
    out = []
    threads = [threading.Thread(target=talk, args=(s, side, nr, out)) for nr, s in sockets]
    [t.start() for t in threads]
    [t.join() for t in threads]
    return "right" if out == [SIZE] * CONNECTIONS else "wrong %s" % out
"""

# In the namespace: serves the connections and watches the wire. A frame longer than the MTU can only be a large one.
HOST = BOTH + """
import select
watch = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
watch.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
watch.bind(("tap0", 0))
large, ended = {True: 0, False: 0}, threading.Event()
def look():
    while not ended.is_set():
        if select.select([watch], [], [], 0.1)[0]:
            n, _, _, where = watch.recvmsg_into([bytearray(40)], 0, socket.MSG_TRUNC)
            if n > 1500:
                large[where[2] == socket.PACKET_OUTGOING] += 1
looker = threading.Thread(target=look)
looker.start()
l = socket.create_server(("::", 5000), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
l.settimeout(%d)
print("ready", flush=True)
sockets = []
for i in range(CONNECTIONS):
    s = l.accept()[0]
    s.settimeout(%d)
    sockets.append((s.recv(1)[0], s))
result = all_of(sockets, 1)
l.accept()[0].close()
ended.set()
looker.join()
print(result, "large in", large[False], "out", large[True])
""" % (SECONDS, SECONDS)

GUEST = BOTH + f"""
import subprocess
subprocess.run("ip link set eth0 up && ip addr add 10.3.0.2/24 dev eth0 && ip addr add fd03::2/64 dev eth0 nodad",
               shell=True, check=True)
sockets = []
for nr in range(CONNECTIONS):
    s = socket.create_connection((("{HOST4}", "{HOST6}")[nr %% 2], 5000), timeout={SECONDS})
    s.sendall(bytes([nr]))
    sockets.append((nr, s))
print(all_of(sockets, 0))
# The machine ends with this program: not before the host has got everything.
assert socket.create_connection(("{HOST4}", 5000), timeout={SECONDS}).recv(1) == b""
print(open("/proc/net/snmp").read(), open("/proc/interrupts").read())
""".replace("%%", "%")


class Host:
    """The host's end, in a namespace of its own."""

    def __init__(self, queues=1):
        self.namespace = Namespace(tap_script("tap0", [f"{HOST4}/24", f"{HOST6}/64"], queues))
        self.program = subprocess.Popen([*self.namespace.enter, sys.executable, "-c", HOST], stdout=subprocess.PIPE,
                                        text=True)
        assert self.program.stdout.readline() == "ready\n"

    def result(self):
        """(right or wrong, large frames from the guest, to the guest)"""
        said, _ = self.program.communicate(timeout=SECONDS)
        match = re.fullmatch(r"(.*) large in (\d+) out (\d+)\n", said)
        assert match, said
        return match[1], int(match[2]), int(match[3])

    def close(self):
        self.program.kill()
        self.program.wait()
        self.namespace.close()


def transfer(kernel, queues=1, device="", options=()):
    """Runs both ends; returns (large frames in, out, the guest's output)."""
    host = Host(queues)
    try:
        done = run("debian", "python3", "-c", GUEST, kernel=kernel, timeout=SECONDS, prefix=host.namespace.enter,
                   options=[*tap_options("tap0", queues, device), *options])
        said = done.stdout.decode()
        assert done.returncode == 0, said + done.stderr.decode()[-2000:]
        assert said.startswith("right\n"), said
        result, from_guest, to_guest = host.result()
        assert result == "right"
        return from_guest, to_guest, said
    finally:
        host.close()


def test_large_frames_go_both_ways(kernel):
    from_guest, to_guest, _ = transfer(kernel)
    assert from_guest > SIZE * CONNECTIONS // (1 << 20) and to_guest > SIZE * CONNECTIONS // (1 << 20)


@pytest.mark.parametrize("device,sends,takes", [
    (",csum=off,guest_csum=off", False, False), (",guest_tso4=off,guest_tso6=off", True, False),
    (",host_tso4=off,host_tso6=off", False, True), (",mrg_rxbuf=off", True, None), (",event_idx=off", True, True)])
def test_devices_that_can_do_less(kernel, device, sends, takes):
    from_guest, to_guest, _ = transfer(kernel, device=device)
    assert (from_guest > 0) == sends
    assert takes is None or (to_guest > 0) == takes


def test_all_queues_are_used(kernel):
    queues = 4
    from_guest, to_guest, said = transfer(kernel, queues, options=["--smp", str(queues)])
    assert from_guest and to_guest
    # The flow's hash chooses: two connections may share a queue, six hardly.
    used = [line for line in said.splitlines() if re.search(r"virtio\d+-input\.\d+", line) and
            sum(int(n) for n in line.split()[1:1 + queues])]
    assert 1 < len(used) <= queues, said


def test_more_processors_than_queues_and_the_other_way_round(kernel):
    transfer(kernel, 2, options=["--smp", "4"])
    transfer(kernel, 4, options=["--smp", "2"])


MEMORY = {"aramid": "16M", "linux": "128M"}

# Memory is eaten up again and again while frames come in.
SHORT = """
ip link set eth0 up && ip addr add 10.3.0.2/24 dev eth0 || exit 9
while :; do tail /dev/zero; done 2>/dev/null &
nc -l -p 5000 </dev/null | md5sum
kill $!
ping -c 1 10.3.0.1 >/dev/null || exit 8
"""
SENDER = """
import hashlib, os, socket, sys, time
for i in range(200):
    try:
        s = socket.create_connection(("10.3.0.2", 5000), timeout=240)
        break
    except OSError:
        time.sleep(0.5)
digest = hashlib.md5()
for i in range(int(sys.argv[1])):
    block = os.urandom(1 << 20)
    digest.update(block)
    s.sendall(block)
s.close()
print(digest.hexdigest(), flush=True)
"""


@pytest.mark.parametrize("queues", [1, 4])
def test_frames_arrive_while_memory_is_short(kernel, queues):
    namespace = Namespace(tap_script("tap0", [f"{HOST4}/24"], queues))
    sender = subprocess.Popen([*namespace.enter, sys.executable, "-c", SENDER, "64"], stdout=subprocess.PIPE, text=True)
    try:
        done = run("alpine", "sh", "-c", SHORT, kernel=kernel, timeout=SECONDS, prefix=namespace.enter,
                   options=[*tap_options("tap0", queues), "--smp", "4", "--mem",
                            MEMORY.get(kernel, MEMORY["aramid"])])
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()[-2000:]
        digest, _ = sender.communicate(timeout=SECONDS)
        assert done.stdout.decode() == f"{digest.strip()}  -\n"
    finally:
        sender.kill()
        sender.communicate()
        namespace.close()
