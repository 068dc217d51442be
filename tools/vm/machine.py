# SPDX-License-Identifier: MIT
"""The QEMU command line, and QEMU as a child process."""
import os
import re
import shutil
import socket
import subprocess
import tempfile

from .util import ToolError

QEMU = "qemu-system-x86_64"
GDB_PORT = 1234
PANIC_STATUS = 97  # what the kernel's panic makes of QEMU's exit status, by isa-debug-exit
DEFAULT_MEM = 512 << 20
MICROVM_SLOTS = 24  # virtio-mmio transports, with the second I/O APIC that ACPI brings
MAX_DISKS = MICROVM_SLOTS - 3  # beside the root's and the network, with any machine


def parse_size(text):
    match = re.fullmatch(r"(\d+)([KMGkmg]?)[bB]?", text)
    if not match or not int(match[1]):
        raise ToolError(f"--mem {text}: not a size (examples: 512M, 2G)")
    return int(match[1]) << {"": 20, "k": 10, "m": 20, "g": 30}[match[2].lower()]


def default_mem(initramfs_size):
    """An unpacked initramfs lives in memory beside the archive, and tmpfs takes half of it."""
    need = initramfs_size * 5 // 2 + (256 << 20)
    return DEFAULT_MEM if initramfs_size < 64 << 20 else max(DEFAULT_MEM, (need >> 26) + 1 << 26)


def kvm_works():
    """A /dev/kvm without hardware virtualisation in cpuinfo hangs ordinary kernels."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
            flags = next((line for line in f if line.startswith("flags")), "").split()
        if "vmx" not in flags and "svm" not in flags:
            return False
        os.close(os.open("/dev/kvm", os.O_RDWR))
        return True
    except OSError:
        return False


class Disk:
    def __init__(self, path, form="raw", throwaway=False):
        self.path = path
        self.form = form
        self.throwaway = throwaway  # writes go to a temporary overlay

    def arguments(self, index, machine):
        how = "snapshot=on,cache=unsafe" if self.throwaway else "cache=writeback"
        path = self.path.replace(",", ",,")
        yield from ("-drive", f"file={path},if=none,id=disk{index},format={self.form},{how},"
                              "discard=unmap,detect-zeroes=unmap")
        # microvm's tables list the last transport first. The first one, 0, is of no use: QEMU moves
        # pin 0 of every I/O APIC to pin 2, so that its interrupts never arrive.
        kind = f"virtio-blk-device,bus=virtio-mmio-bus.{MICROVM_SLOTS - 1 - index}" \
            if machine == "microvm" else \
            "virtio-blk-pci"
        yield from ("-device", f"{kind},drive=disk{index},serial=disk{index}")


class Network:
    """What --net and -p say: QEMU's user network, a tap of the host's, or none."""

    def __init__(self, net, ports):
        self.net = net or "user"
        if self.net not in ("user", "none") and not (self.net.startswith("tap=") and
                                                     self.net[4:]):
            raise ToolError(f"--net {net}: user, none or tap=NAME")
        if ports and self.net != "user":
            raise ToolError(f"-p needs --net user, not {self.net}")
        self.forwards = [self._forward(p) for p in ports]

    @staticmethod
    def _forward(text):
        match = re.fullmatch(r"(\d+):(\d+)", text)
        if not match or not all(0 < int(n) < 65536 for n in match.groups()):
            raise ToolError(f"-p {text}: not HOSTPORT:GUESTPORT")
        return f"hostfwd=tcp:127.0.0.1:{match[1]}-:{match[2]}"

    def guest_word(self):
        """For the guest's init: what it has to set up."""
        return {"user": ["aramid_net=user"], "none": []}.get(self.net, ["aramid_net=up"])

    def arguments(self, machine, slot):
        if self.net == "none":
            return []
        if self.net == "user":
            back = ",".join(["user,id=net0", *self.forwards])
        else:
            name = self.net[4:].replace(",", ",,")
            back = f"tap,id=net0,ifname={name},script=no,downscript=no"
        kind = f"virtio-net-device,bus=virtio-mmio-bus.{slot}" if machine == "microvm" else \
            "virtio-net-pci,romfile="
        return ["-netdev", back, "-device", f"{kind},netdev=net0"]


def command_line(options, kernel, initramfs, append, mem, log_fd, channel_fd, disks,
                 network):
    accel = options.accel
    if accel == "auto":
        accel = "kvm" if kvm_works() else "tcg"
    args = [QEMU, "-machine", options.machine,
            "-accel", "tcg,tb-size=64" if accel == "tcg" else "kvm",
            "-cpu", options.cpu or ("max" if accel == "tcg" else "host"),
            "-smp", str(options.smp), "-m", f"{mem >> 10}K",
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
            "-chardev", f"socket,id=log,fd={log_fd}",
            "-chardev", f"socket,id=channel,fd={channel_fd}",
            "-serial", "chardev:log"]
    if options.machine == "microvm":
        args += ["-device", "isa-serial,iobase=0x2f8,irq=3,index=1,chardev=channel"]
    else:
        args += ["-serial", "chardev:channel"]
    args += ["-kernel", kernel.path, "-initrd", initramfs, "-append", append]
    if options.machine == "microvm":
        args += ["-global", "virtio-mmio.force-legacy=false"]
    for i, disk in enumerate(disks):
        args += disk.arguments(i, options.machine)
    args += network.arguments(options.machine, MICROVM_SLOTS - 1 - len(disks))
    if options.gdb:
        args += ["-S", "-gdb", f"tcp:127.0.0.1:{GDB_PORT}"]
    return args + options.qemu


class Machine:
    """A running QEMU: its process, and our ends of its two serial ports."""

    def __init__(self, make_arguments):
        if not shutil.which(QEMU):
            raise ToolError(f"{QEMU} is not installed (tools/setup installs it)")
        self.log, log_theirs = socket.socketpair()
        self.channel, channel_theirs = socket.socketpair()
        self.errors = tempfile.TemporaryFile()
        args = make_arguments(log_theirs.fileno(), channel_theirs.fileno())
        # If we die without a chance to clean up, QEMU goes too.
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *args], stdin=subprocess.DEVNULL,
            stdout=self.errors, stderr=self.errors, start_new_session=True,
            pass_fds=(log_theirs.fileno(), channel_theirs.fileno()))
        log_theirs.close()
        channel_theirs.close()
        self.log.setblocking(False)
        self.channel.setblocking(False)
        self.pidfd = os.pidfd_open(self.process.pid)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        return self.process.wait()

    def error_text(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace").strip()
