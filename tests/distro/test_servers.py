# SPDX-License-Identifier: MIT
"""Debian's network programs as servers and clients, in one machine and from the host. They need a
root of their own, which takes minutes to build."""
import base64
import concurrent.futures
import contextlib
import filecmp
import hashlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time

import pytest

from guest import TOP, Terminal
from servers import Servers

sys.path.insert(0, str(TOP / "tools"))
from vm import roots  # noqa: E402

pytestmark = pytest.mark.long

PACKAGES = (
    "openssh-server,openssh-client,dropbear-bin,rsync,git,nginx-light,redis-server,iperf3,"
    "iputils-ping,traceroute,tcpdump,ethtool,libpython3.11-testsuite")
MIB = 1 << 20
MINUTES = 60
SSH = ("-i /root/.ssh/id -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
       "-o LogLevel=ERROR -o BatchMode=yes")
# CPython's tests that make connections, all within the machine.
CPYTHON = ["test_selectors", "test_socketserver", "test_httplib", "test_urllib2_localnet",
           "test_ftplib", "test_smtplib", "test_socket", "test_ssl", "test_asyncio"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    started = Servers(tmp_path_factory.mktemp("servers"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def guests():
    started = {}
    yield started
    for guest in started.values():
        guest.close()


class Guest(Terminal):
    """Ports of the guest that the host reaches: self.port[80] and so on."""

    def __init__(self, kernel):
        self.port = {n: free_port() for n in (22, 80, 6379)}
        forwards = [w for n, p in self.port.items() for w in ("-p", f"{p}:{n}")]
        super().__init__(roots.debian_tarball(PACKAGES), kernel, shell="bash", options=[
            "--smp", "2", "--mem", "1G", "--net", "user", "--trust-host", *forwards])
        self.check("mkdir -p /run/sshd /root/.ssh && ssh-keygen -A >/dev/null && "
                   "ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id && "
                   "cp /root/.ssh/id.pub /root/.ssh/authorized_keys && /usr/sbin/sshd",
                   timeout=5 * MINUTES)


@pytest.fixture
def guest(guests, kernel):
    if kernel not in guests or not guests[kernel].alive():
        guests[kernel] = Guest(kernel)
    try:
        guests[kernel].check("cd $(mktemp -d)")
    except Exception:
        # What the test before has left behind is still running: a machine in a known state.
        guests.pop(kernel).close()
        guests[kernel] = Guest(kernel)
        guests[kernel].check("cd $(mktemp -d)")
    return guests[kernel]


# ---- ssh, rsync, git -------------------------------------------------------------------------

def test_ssh_logs_in_with_a_key(guest):
    # -n here and below: ssh would take the lines that are typed after it.
    guest.check(f"ssh -n {SSH} root@127.0.0.1 'echo out; echo err >&2; exit 3' 2>/dev/null", "out",
                3)
    guest.check(f"ssh {SSH} root@::1 'cat | wc -c' </bin/bash", guest.check("wc -c </bin/bash"))
    guest.check(f"ssh -n {SSH} nobody@127.0.0.1 true 2>/dev/null", "", 255)


def test_ssh_gives_a_terminal(guest):
    guest.send_line(f"ssh -tt {SSH} root@127.0.0.1")
    guest.expect("# $")
    guest.send_line("tty; stty size; exit")
    shown = guest.prompt()
    assert re.search(r"/dev/pts/\d+", shown) and "24 250" in shown, shown


def test_scp_copies_both_ways(guest):
    guest.check("head -c 20M /dev/urandom >a")
    guest.check(f"scp -q {SSH} a root@127.0.0.1:$PWD/b && scp -q {SSH} root@127.0.0.1:$PWD/b c && "
                f"cmp a b && cmp a c", timeout=10 * MINUTES)


def test_dropbear_and_openssh_talk_to_each_other(guest):
    guest.check("mkdir -p /etc/dropbear; dropbear -R -p 2222; "
                "dropbearconvert openssh dropbear /root/.ssh/id /root/.ssh/id.db 2>/dev/null")
    guest.check("dbclient -y -y -i /root/.ssh/id.db -p 2222 root@127.0.0.1 'echo to dropbear' "
                "2>/dev/null </dev/null", "to dropbear", timeout=3 * MINUTES)
    guest.check("dbclient -y -y -i /root/.ssh/id.db root@127.0.0.1 'echo to openssh' "
                "2>/dev/null </dev/null", "to openssh", timeout=3 * MINUTES)
    guest.check(f"ssh -n {SSH} -p 2222 root@127.0.0.1 'echo to dropbear' 2>/dev/null", "to dropbear",
                timeout=3 * MINUTES)


def test_rsync_copies_trees(guest):
    guest.check("cp -a /usr/lib/git-core src")
    guest.check(f"rsync -a -e 'ssh {SSH}' src/ root@127.0.0.1:$PWD/there/ && diff -r src there",
                timeout=5 * MINUTES)
    guest.check("printf 'use chroot = no\\n[tree]\\npath = %s/src\\n' $PWD >conf; "
                "rsync --daemon --config=conf --port=8730; "
                "rsync -a rsync://127.0.0.1:8730/tree/ again/ && diff -r src again",
                timeout=5 * MINUTES)


def test_git_clones_over_http(guest, servers):
    repository = servers.git_folder / "tree.git"
    if not repository.exists():
        subprocess.run(["git", "clone", "-q", "--bare", TOP, repository], check=True)
    head = subprocess.run(["git", "-C", repository, "rev-parse", "HEAD"], check=True,
                          capture_output=True, text=True).stdout.strip()
    guest.check(f"git clone -q {servers.url('git')}/tree.git && git -C tree rev-parse HEAD", head,
                timeout=10 * MINUTES)
    guest.check("git -C tree fsck 2>/dev/null; git -C tree status --short", "", timeout=5 * MINUTES)


# ---- driven from the host --------------------------------------------------------------------

def connected(port):
    """The server may have just been started."""
    for _ in range(300):
        with contextlib.suppress(OSError):
            s = socket.create_connection(("127.0.0.1", port), timeout=MINUTES)
            return s
        time.sleep(0.1)
    raise AssertionError(f"nobody listens at {port}")


def test_nginx_serves_many_clients(guest):
    guest.check("head -c 300000 /dev/urandom >/var/www/html/data; sha256sum </var/www/html/data; "
                "nginx", timeout=2 * MINUTES)
    wanted = guest.check("base64 -w0 /var/www/html/data | tail -c 60")
    connected(guest.port[80]).close()

    def client(_):
        connection = http.client.HTTPConnection("127.0.0.1", guest.port[80], timeout=2 * MINUTES)
        bodies = set()
        for _ in range(5):
            connection.request("GET", "/data")
            answer = connection.getresponse()
            assert answer.status == 200
            bodies.add(answer.read())
        connection.close()
        return bodies

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        bodies = set().union(*pool.map(client, range(32)))
    assert len(bodies) == 1 and len(next(iter(bodies))) == 300000
    assert base64.b64encode(bodies.pop()).decode().endswith(wanted)


def test_redis_answers_pipelined_requests(guest):
    guest.check("redis-server --daemonize yes --bind 0.0.0.0 --protected-mode no --save '' >/dev/null",
                timeout=MINUTES)
    with connected(guest.port[6379]) as s:
        requests = b"".join(b"SET k%d v%d\r\n" % (i, i) for i in range(2000))
        requests += b"".join(b"GET k%d\r\n" % i for i in range(2000))
        wanted = b"+OK\r\n" * 2000 + b"".join(
            b"$%d\r\nv%d\r\n" % (len(b"v%d" % i), i) for i in range(2000))
        s.sendall(requests)
        got = b""
        while len(got) < len(wanted):
            data = s.recv(65536)
            assert data, "redis closed the connection"
            got += data
        assert got == wanted


def test_scp_from_and_to_the_host(guest, tmp_path):
    key, there, back = tmp_path / "id", tmp_path / "there", tmp_path / "back"
    key.write_text(base64.b64decode(guest.check("base64 -w0 /root/.ssh/id; echo")).decode())
    key.chmod(0o600)
    digest = hashlib.sha256()
    with open(there, "wb") as f:
        for _ in range(200):
            block = os.urandom(MIB)
            digest.update(block)
            f.write(block)
    scp = ["scp", "-q", "-P", str(guest.port[22]), *SSH.replace("/root/.ssh/id", str(key)).split()]
    folder = guest.check("pwd")
    subprocess.run([*scp, there, f"root@127.0.0.1:{folder}/data"], check=True, timeout=15 * MINUTES)
    guest.check("sha256sum <data", f"{digest.hexdigest()}  -", timeout=5 * MINUTES)
    subprocess.run([*scp, f"root@127.0.0.1:{folder}/data", back], check=True, timeout=15 * MINUTES)
    assert filecmp.cmp(there, back, shallow=False)
    guest.check("rm data")


# ---- figures and captures --------------------------------------------------------------------

@pytest.mark.parametrize("how", ["", "-R", "-P 4", "-u -b 20M", "-u -b 20M -R"])
def test_iperf3_ends_with_figures(guest, how):
    # A server for one client: the one before must have gone, and this one listen.
    guest.check("while pgrep -x iperf3 >/dev/null; do sleep 0.1; done; iperf3 -s -1 -D; "
                "until ss -ltnH sport = :5201 | grep -q .; do sleep 0.1; done")
    said = guest.check(f"iperf3 -c ::1 -t 3 -J {how}", timeout=2 * MINUTES)
    end = json.loads(said[said.index("{"):])["end"]
    assert (end.get("sum_received") or end["sum"])["bits_per_second"] > 1e6


def test_tcpdump_captures(guest):
    # In a subshell: an interactive one tells of its jobs.
    guest.check("(tcpdump -l -n -i lo -c 4 icmp >out 2>err & "
                "until grep -q listening err; do sleep 0.2; done; "
                "ping -q -c 2 -i 0.2 127.0.0.1 >/dev/null; wait; grep -c 'ICMP echo re' out)", "4")


def test_ping_and_traceroute_name_the_hop(guest):
    assert "1 received, 0% packet loss" in guest.check("ping -c 1 10.0.2.2")
    assert re.search(r"^ 1  127\.0\.0\.1  ", guest.check("traceroute -n -q 1 127.0.0.1"), re.M)
    assert re.search(r"^ 1  ::1  ", guest.check("traceroute -n -q 1 ::1"), re.M)


# ---- packages and CPython --------------------------------------------------------------------

def test_apt_installs_a_package(guest):
    guest.check("apt-get update -q >log 2>&1 && apt-get install -y -q tree >>log 2>&1 || "
                "(tail -n 5 log; false)", "", timeout=20 * MINUTES)
    guest.check("tree --version | cut -d' ' -f1", "tree")


@pytest.mark.parametrize("name", CPYTHON)
def test_cpythons_own_tests_pass(guest, name):
    guest.check(f"python3 -m test --timeout=600 {name} >log 2>&1 || (grep -A 20 -E "
                f"'^(FAIL|ERROR):|Timeout|Segm' log | head -n 60; tail -n 5 log; false)",
                timeout=40 * MINUTES)
