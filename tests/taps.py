# SPDX-License-Identifier: MIT
"""A network of the host's own for a guest: a namespace with tap devices, which unlike QEMU's user network carry
large frames and unfinished checksums, and have several queues."""
import shlex
import subprocess


class Namespace:
    """enter: what goes in front of a command that is to run in it. Needs root."""

    def __init__(self, script):
        """script: shell commands that make its interfaces."""
        self.keeper = subprocess.Popen(["unshare", "-n", "sh", "-ec", f"{script}\necho made; exec cat"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        made = self.keeper.stdout.readline()
        self.enter = ["nsenter", "-t", str(self.keeper.pid), "-n"]
        if made != b"made\n":
            self.close()
            raise RuntimeError("the namespace's interfaces could not be made")

    def close(self):
        self.keeper.stdin.close()
        self.keeper.wait()
        self.keeper.stdout.close()


def tap_script(name, addresses, queues=1):
    """One tap device, up, with addresses."""
    lines = [f"ip tuntap add {name} mode tap {'multi_queue' if queues > 1 else ''}",
             f"echo 0 >/proc/sys/net/ipv6/conf/{name}/accept_dad", f"ip link set {name} up"]
    return "\n".join(lines + [f"ip addr add {shlex.quote(a)} dev {name}" for a in addresses])


def tap_options(name, queues=1, device=""):
    """What tools/aramid is told. device: more properties of it."""
    back = f"tap,id=tap,ifname={name},script=no,downscript=no" + (f",queues={queues}" if queues > 1 else "")
    several = f",mq=on,vectors={2 * queues + 2}" if queues > 1 else ""
    return ["--net", "none", "--qemu=-netdev", f"--qemu={back}", "--qemu=-device",
            f"--qemu=virtio-net-pci,romfile=,netdev=tap{several}{device}"]
