# SPDX-License-Identifier: MIT
"""The command line of tools/aramid."""
import argparse
import contextlib
import os
import sys

from . import images, kernels, machine, roots
from .session import Console, Ended, Session
from .util import TOP, ToolError, say

DESCRIPTION = """Boots ROOT in a virtual machine and runs COMMAND in it as root, with standard
input and output connected; without COMMAND, a login shell. With --boot its own init runs instead,
and standard input and output are the console, where somebody may log in."""

EPILOG = """ROOT: alpine, debian, busybox, default (alpine where it can be had, else debian), or
the path of a tar archive, a folder or an ext2/3/4 image.

The exit status is COMMAND's (128+N for a signal), 124 when the time limit was reached, 125 when
the tool failed, 97 when the kernel panicked. On a terminal, Ctrl-] three times stops the machine.

environment: ALPINE_TARBALL (a local copy of Alpine's minirootfs), ARAMID_CACHE (the folder for
what is downloaded and prepared, default ~/.cache/aramid)"""

MAX_CPUS = 64
MAX_TIMEOUT = 10**8  # seconds: three years, more than a clock of the host is asked to count
KERNEL_NEEDS = 3 << 20  # bytes that the loader must find beside the initramfs
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def parser():
    p = argparse.ArgumentParser(prog="tools/aramid", description="Runs Linux programs on Aramid.")
    sub = p.add_subparsers(dest="verb", required=True, metavar="run")
    r = sub.add_parser("run", description=DESCRIPTION, epilog=EPILOG,
                       formatter_class=argparse.RawDescriptionHelpFormatter,
                       usage="tools/aramid run [OPTIONS] ROOT [-- COMMAND [ARG...]]")
    r.add_argument("root", metavar="ROOT")
    r.add_argument("--kernel", default="aramid", metavar="aramid|linux|FILE")
    r.add_argument("--as", dest="present", choices=["ext4", "initramfs"], default="ext4",
                   help="how ROOT is presented: a disk, or unpacked into memory (default: "
                        "ext4)")
    r.add_argument("--smp", type=int, default=1, metavar="N", help="number of CPUs (default 1)")
    r.add_argument("--mem", metavar="SIZE",
                   help="RAM (default 512M, more for an initramfs that would not fit)")
    r.add_argument("--net", metavar="user|none|tap=NAME", help="network (default: user)")
    r.add_argument("-p", dest="ports", action="append", default=[], metavar="HOSTPORT:GUESTPORT",
                   help="TCP connections to the host's 127.0.0.1:HOSTPORT reach the guest "
                        "(repeatable)")
    r.add_argument("--disk", action="append", default=[], metavar="FILE",
                   help="one more disk (repeatable): /dev/vdb, ...; written to")
    r.add_argument("--boot", action="store_true",
                   help="ROOT's own /sbin/init is process 1, and the console is its terminal")
    r.add_argument("--keep", metavar="IMAGE",
                   help="the root disk is this image, made from ROOT when it isn't there yet, and "
                        "keeps what is written (default: a throwaway overlay)")
    r.add_argument("--append", default="", metavar="WORDS", help="more kernel parameters")
    r.add_argument("--machine", choices=["q35", "pc", "microvm"], default="q35")
    r.add_argument("--cpu", metavar="MODEL", help="QEMU's CPU model (default: all it can do)")
    r.add_argument("--timeout", type=float, metavar="SECONDS")
    r.add_argument("--trust-host", action="store_true",
                   help="the guest trusts the host's CA certificates (always so for debian)")
    r.add_argument("--trace", action="store_true", help="log every system call")
    r.add_argument("--gdb", action="store_true", help="wait for a debugger before starting")
    r.add_argument("--accel", choices=["auto", "tcg", "kvm"], default="auto")
    r.add_argument("-v", dest="verbose", action="store_true", help="show the kernel's log")
    r.add_argument("--qemu", action="append", default=[], metavar="ARG",
                   help="one more argument for QEMU (repeatable)")
    return p


def refuse_nonsense(o):
    if not 1 <= o.smp <= MAX_CPUS:
        raise ToolError(f"--smp {o.smp}: from 1 to {MAX_CPUS}")
    if len(o.disk) > machine.MAX_DISKS:
        raise ToolError(f"--disk: {len(o.disk)} of them; {machine.MAX_DISKS} at most")
    if o.timeout is not None and not 0 < o.timeout <= MAX_TIMEOUT:
        raise ToolError(f"--timeout {o.timeout:g}: more than 0 and at most {MAX_TIMEOUT} seconds")
    if o.keep and o.present == "initramfs":
        raise ToolError("--keep needs --as ext4")


def kernel_parameters(o, kernel, network):
    words = ["console=ttyS0", "rdinit=/.aramid/init"]
    words += ["aramid_boot=1"] if o.boot else network.guest_word()
    if kernel.is_linux:
        words.append("panic=-1")
    if o.trace:
        words.append("trace=syscalls")
    elif not o.verbose:
        words.append("quiet")
    return " ".join([*words, o.append]).rstrip()


def debugger_arguments(kernel):
    """Our kernel is stripped: its symbols are in a file beside it, its GDB commands in a script."""
    symbols = f"{kernel.path}.debug"
    if kernel.is_linux or not os.path.exists(symbols):
        return kernel.path
    return f"{symbols} -x {TOP / 'tools' / 'gdb' / 'aramid.py'}"


def guest_environment():
    return {"PATH": PATH, "HOME": "/root", "USER": "root", "LOGNAME": "root", "SHELL": "/bin/sh",
            "TERM": os.environ.get("TERM") or "linux" if os.isatty(1) else "linux"}


def run(o, command):
    refuse_nonsense(o)
    if o.boot and command:
        raise ToolError("--boot takes no COMMAND")
    network = machine.Network(o.net, o.ports)
    kernel = kernels.find(o.kernel)
    root = roots.find(o.root)
    with contextlib.ExitStack() as stack:
        disks = [machine.Disk(f, images.disk_format(f)) for f in o.disk]
        if o.present == "ext4":
            if o.keep:
                images.keep(root, o.trust_host, o.keep)
                disks.insert(0, machine.Disk(o.keep, images.disk_format(o.keep)))
            else:
                image = stack.enter_context(images.image_of(root, o.trust_host))
                disks.insert(0, machine.Disk(image, images.disk_format(image), throwaway=True))
            initramfs = stack.enter_context(roots.start_archive(kernel))
        else:
            initramfs = stack.enter_context(roots.initramfs(root, o.trust_host, kernel))
        mem = machine.parse_size(o.mem) if o.mem else \
            machine.default_mem(os.path.getsize(initramfs))
        if mem < os.path.getsize(initramfs) + KERNEL_NEEDS:
            raise ToolError(f"--mem {o.mem}: too little for the kernel and an initramfs of "
                            f"{os.path.getsize(initramfs) >> 10} KiB")
        append = kernel_parameters(o, kernel, network)
        vm = machine.Machine(lambda log, channel: machine.command_line(
            o, kernel, initramfs, append, mem, log, channel, disks, network))
        try:
            if o.gdb:
                say(f"waiting for a debugger: gdb {debugger_arguments(kernel)} "
                    f"-ex 'target remote :{machine.GDB_PORT}'")
            if o.boot:
                return Console(vm, kernel.is_linux, o.timeout).run()
            return Session(vm, command, guest_environment(), kernel.is_linux, o.timeout,
                           o.verbose or o.trace).run()
        finally:
            vm.kill()


def open_missing_files():
    """With a standard file closed, the next descriptor that is opened would take its place."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def main(arguments):
    open_missing_files()
    command = []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, command = arguments[:at], arguments[at + 1:]
        if not command:
            say("-- without a command behind it")
            return 125
    p = parser()
    try:
        options = p.parse_args(arguments)
    except SystemExit as e:
        return 125 if e.code else 0
    try:
        return run(options, command)
    except Ended as e:
        if e.why:
            say(e.why)
        return e.status
    except ToolError as e:
        say(str(e))
        return 125
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
