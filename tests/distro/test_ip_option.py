# SPDX-License-Identifier: MIT
"""ip= on the command line: the kernel sets up an interface before init. Debian's Linux is built without it."""
import pytest

from guest import run

WIRES = [word for i in range(2) for word in (
    "--qemu=-netdev", f"--qemu=user,id=u{i},net=10.0.{2 + i}.0/24", "--qemu=-device",
    f"--qemu=virtio-net-pci,romfile=,netdev=u{i},mac=52:54:00:00:00:0{i}")]
SHOW = ("ip -4 -o addr show | sed 's/\\\\.*//; s/  */ /g' | grep -v ' lo '; ip -4 route show table main; "
        "dmesg | grep -o 'ip=: .*'; true")


@pytest.fixture(autouse=True)
def only_aramid(kernel):
    if kernel == "linux":
        pytest.skip("Debian's Linux has no ip=")


def shown(kernel, option, command=SHOW):
    done = run("alpine", "sh", "-c", command, kernel=kernel,
               options=["--net", "none", *WIRES, "--append", f"ip={option} loglevel=7"])
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return done.stdout.decode().splitlines()


def test_an_address_and_a_router_that_work(kernel):
    said = shown(kernel, "10.0.3.15::10.0.3.2:255.255.255.0:name:eth1:off",
                 SHOW + "; ping -c 1 -w 10 10.0.3.2 | grep -c 'bytes from'")
    assert said == ["3: eth1 inet 10.0.3.15/24 brd 10.0.3.255 scope global eth1", "default via 10.0.3.2 dev eth1 ",
                    "10.0.3.0/24 dev eth1 scope link  src 10.0.3.15 ", "1"]


@pytest.mark.parametrize("option,address", [
    ("10.0.2.9", "10.0.2.9/8 brd 10.255.255.255"), ("172.16.1.1::::::none", "172.16.1.1/16 brd 172.16.255.255"),
    ("192.168.1.1", "192.168.1.1/24 brd 192.168.1.255"), ("10.0.2.9:::255.255.255.254", "10.0.2.9/31")])
def test_what_is_left_out_is_chosen(kernel, option, address):
    said = shown(kernel, option)
    assert said[0] == f"2: eth0 inet {address} scope global eth0" and len(said) == 2


@pytest.mark.parametrize("option", ["off", "none", "::::::off"])
def test_nothing_is_set_up(kernel, option):
    assert shown(kernel, option) == []


@pytest.mark.parametrize("option,reason", [
    ("dhcp", "automatic configuration (dhcp) "), (":::::eth0:dhcp", "automatic configuration (dhcp) "),
    ("10.0.2.15::::::both", "automatic configuration (both) "), ("10.0.2.15:::::eth7:off", "eth7: ENODEV"),
    ("10.0.2.15:::255.0.255.0::eth0:off", "eth0: EINVAL"), ("10.0.2.15:::x::eth0:off", "eth0: EINVAL"),
    ("10.0.2.15::10.0.9.1:255.255.255.0::eth0:off", "eth0: ENETUNREACH")])
def test_what_cannot_be_done_is_told(kernel, option, reason):
    said = shown(kernel, option)
    assert said[-1].startswith(f"ip=: {reason}"), said
