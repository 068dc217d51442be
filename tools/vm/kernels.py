# SPDX-License-Identifier: MIT
"""Which kernel file to boot."""
import os
import pathlib
import re
import subprocess

from .util import BUILD, ToolError, cache_folder, cached, run, step

LINUX_MODULES = ["virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev",
                 "virtio_pci", "virtio_mmio", "virtio_blk", "loop"]
NET_MODULES = ["failover", "net_failover", "virtio_net", "af_packet_diag", "netlink_diag",
               "unix_diag", "inet_diag", "tcp_diag", "udp_diag"]
LINUX_PACKAGE = "linux-image-cloud-amd64"


class Kernel:
    def __init__(self, name, path, is_linux):
        self.name = name
        self.path = path
        self.is_linux = is_linux

    def modules(self):
        """Debian's cloud kernel has its virtio drivers as modules: their files in loading order.
        Those that sockets would load by themselves come too: the guest has no module folder."""
        if not self.is_linux:
            return []
        version = os.path.basename(self.path).removeprefix("vmlinuz-")
        folder = pathlib.Path(self.path).parents[1] / "lib" / "modules" / version
        found = {p.name: p for p in folder.rglob("*.ko")} if folder.is_dir() else {}
        return [found[f"{name}.ko"] for name in LINUX_MODULES + NET_MODULES if f"{name}.ko" in found]


def _linux_dependency():
    """The package that LINUX_PACKAGE stands for, with the running version in its name."""
    def candidates():
        out = subprocess.run(["apt-cache", "depends", LINUX_PACKAGE], capture_output=True,
                             text=True, check=False).stdout
        return re.findall(r"Depends: (linux-image-\S+)", out)
    found = candidates()
    if not found:
        sudo = [] if os.geteuid() == 0 else ["sudo"]
        run([*sudo, "apt-get", "update"], "reading the package lists")
        found = candidates()
    if not found:
        raise ToolError(f"apt knows no package {LINUX_PACKAGE}")
    return found[0]


def _unpack_linux(package, part):
    with step(f"fetching Debian's kernel ({package})"):
        os.makedirs(part)
        debs = os.path.join(part, "debs")
        os.makedirs(debs)
        run(["apt-get", "download", "-o", "APT::Sandbox::User=root", package],
            "fetching Debian's kernel", cwd=debs)
        deb = os.path.join(debs, os.listdir(debs)[0])
        run(["dpkg-deb", "-x", deb, str(part)], "unpacking Debian's kernel")
        os.unlink(deb)
        os.rmdir(debs)


def linux_folder():
    """Debian's kernel package, unpacked: boot/vmlinuz-*, lib/modules/*. One that is in the cache
    stays in use, so that runs can be compared; remove it from the cache to get a newer one."""
    folder = cache_folder()
    have = sorted(folder.glob("linux-image-*-cloud-amd64"))
    if have:
        return have[-1]
    package = _linux_dependency()
    return cached(folder / package, lambda part: _unpack_linux(package, part))


def find(name):
    if name == "aramid":
        path = BUILD / "aramid"
        if not path.exists():
            raise ToolError(f"{path} is not built yet: run make first")
        return Kernel("aramid", str(path), False)
    if name == "linux":
        found = sorted((linux_folder() / "boot").glob("vmlinuz-*"))
        if not found:
            raise ToolError("Debian's kernel package holds no vmlinuz")
        return Kernel("linux", str(found[-1]), True)
    if not os.path.isfile(name):
        raise ToolError(f"--kernel {name}: no such file (known names: aramid, linux)")
    with open(name, "rb") as f:
        head = f.read(0x206)
    return Kernel(os.path.basename(name), name, head[0x202:0x206] == b"HdrS")
