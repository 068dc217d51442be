# SPDX-License-Identifier: MIT
"""Debian's programs over the network, against servers on the host: bytes, names, refusals."""
import hashlib
import re

import pytest

from servers import HOST, NAME, Servers

MIB = 1 << 20
NOT_VERIFIED = 60  # curl's exit status


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    started = Servers(tmp_path_factory.mktemp("servers"))
    yield started
    started.close()


@pytest.fixture
def debian(network, servers):
    network.check(f"curl -sS -o ca.pem {servers.url('http')}/ca.pem")
    return network


def test_a_large_file_comes_and_goes_unchanged(debian, servers):
    digest = servers.file("large", 20 * MIB)
    debian.check(f"curl -sS -o large {servers.url('http')}/large; sha256sum <large", f"{digest}  -")
    debian.check(f"curl -sS --data-binary @large {servers.url('http')}/", digest)
    debian.check(f"curl -sS --cacert ca.pem {servers.url('good')}/large | sha256sum", f"{digest}  -")
    debian.check(f"curl -sS --cacert ca.pem --data-binary @large {servers.url('good')}/", digest)


def test_parts_of_a_file_come_at_once(debian, servers):
    servers.file("parts", 4 * MIB)
    wanted = hashlib.sha256((servers.www / "parts").read_bytes()).hexdigest()
    debian.check(f"for i in 1 2 3 4 5 6 7 8; do curl -sS {servers.url('http')}/parts | sha256sum | cut -d' ' -f1 & "
                 f"done | sort | uniq -c | tr -s ' '", f" 8 {wanted}")


@pytest.mark.parametrize("kind,name,status", [
    ("good", HOST, 0), ("good", NAME, 0), ("other", NAME, NOT_VERIFIED),
    ("expired", NAME, NOT_VERIFIED), ("self", NAME, NOT_VERIFIED)])
def test_certificates_are_verified(debian, servers, kind, name, status):
    resolve = f"{NAME}:{servers.port(kind)}:{HOST}"
    debian.check(f"curl -s --resolve {resolve} --cacert ca.pem -o got {servers.url(kind, name)}/ca.pem",
                 "", status)


def test_a_ca_that_is_not_known_is_refused(debian, servers):
    debian.check(f"curl -s -o got {servers.url('good')}/ca.pem", "", NOT_VERIFIED)


def test_python_fetches_over_tls(debian, servers):
    digest = servers.file("python", MIB)
    debian.check("cat >t.py <<'E'\n"
                 "import hashlib, ssl, sys, urllib.request\n"
                 "c = ssl.create_default_context(cafile='ca.pem')\n"
                 "d = urllib.request.urlopen(sys.argv[1], context=c).read()\n"
                 "print(hashlib.sha256(d).hexdigest())\n"
                 "E")
    debian.check(f"python3 t.py {servers.url('good')}/python", digest)


def test_nobody_listens(debian):
    debian.check(f"curl -s http://{HOST}:1/", "", 7)
    debian.check("curl -s http://127.0.0.1:1/", "", 7)


def test_a_server_in_the_guest_sends_to_a_client_in_it(debian):
    debian.run("head -c 5000000 /dev/urandom >data; python3 -m http.server 8000 --bind ::1 >log 2>&1 &")
    debian.check("until curl -s -o got 'http://[::1]:8000/data'; do sleep 0.1; done; cmp data got", "")
    debian.run("kill %1; wait %1")
    debian.run("true")


def test_ip_shows_what_is_configured(debian):
    shown = debian.check("ip -4 addr show eth0")
    assert re.search(r"inet 10\.0\.2\.15/24 brd 10\.0\.2\.255 scope global eth0", shown)
    assert "default via 10.0.2.2 dev eth0" in debian.check("ip route")
    assert re.search(r"10\.0\.2\.2 dev eth0 lladdr [0-9a-f:]{17} ", debian.check("ip neigh"))
    assert re.search(r"^TCP:", debian.check("ss -s"), re.M)
