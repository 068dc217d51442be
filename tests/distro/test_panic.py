# SPDX-License-Identifier: MIT
"""What a panic prints: the registers and the backtrace of the call or of the exception, every CPU's
task, and the last trace events."""
import re
import select
import socket
import sys
import time
import types

import pytest

from guest import TOP, run
from test_tool import archive_with, text

sys.path.insert(0, str(TOP / "tools"))
from vm import kernels, machine  # noqa: E402

REGISTERS = ("rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 flags cs ss "
             "cr2 cr3 cr4").split()


class Guest:
    """A machine that boots one program as init; its log is read up to a word, or to its end."""

    def __init__(self, archive, smp=1, qemu=(), kernel="aramid"):
        options = types.SimpleNamespace(accel="tcg", machine="q35", cpu=None, smp=smp, gdb=False,
                                        qemu=list(qemu))
        self.vm = machine.Machine(lambda log, channel: machine.command_line(
            options, kernels.find(kernel), str(archive), "console=ttyS0 panic=-1 rdinit=/init",
            256 << 20, log, channel, [], machine.Network("none", [])))
        self.log = b""

    def read(self, word=None, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end and not (word and word in self.log):
            if select.select([self.vm.log], [], [], 0.5)[0]:
                data = self.vm.log.recv(65536)
                if not data:
                    return text(self.log), self.vm.process.wait(10)
                self.log += data
        return text(self.log), None


@pytest.fixture
def start(tmp_path):
    running = []

    def run(program, **options):
        archive = archive_with(tmp_path / "a.cpio", (TOP / program).read_bytes())
        running.append(Guest(archive, **options))
        return running[-1]
    yield run
    for guest in running:
        guest.vm.kill()


class Debugger:
    """QEMU's stub, by the protocol of GDB."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(path))
        self.sock.settimeout(20)
        self.ask("qXfer:features:read:target.xml:0,fff")  # without it P isn't understood

    def send(self, packet):
        data = packet.encode()
        self.sock.sendall(b"$%s#%02x" % (data, sum(data) & 255))

    def ask(self, packet):
        """The answer, which is no report that the machine has stopped; each is acknowledged."""
        self.send(packet)
        data = b""
        while not (answers := re.findall(rb"\$([^T#][^#]*|)#..", data)):
            got = self.sock.recv(4096)
            assert got, f"the stub went away after {packet}"
            data += got
        self.sock.sendall(b"+")
        return answers[-1]

    def set_register(self, number, value):
        assert b"OK" == self.ask(f"P{number:x}={value.to_bytes(8, 'little').hex()}")


def registers(log):
    """Those printed after the panic's first line, before the tasks."""
    part = log[log.index("Kernel panic"):]
    found = {}
    for name, value in re.findall(r"\b(r[a-z0-9]{1,2}|flags|cs|ss|cr\d) +([0-9a-f]+)\b", part):
        found.setdefault(name, int(value, 16))
    return found


def test_panic_without_an_exception_prints_all_registers(start):
    log, status = start("build/bench/root/bin/true-asm", smp=2).read()
    assert status == 97, log[-3000:]
    regs = registers(log)
    assert [r for r in REGISTERS if r not in regs] == [], log
    assert regs["cs"] == 0x10 or regs["cs"] & 3 == 0
    assert regs["rsp"] >> 47 == 0x1ffff and regs["rbp"] >> 47 == 0x1ffff, "kernel stacks"
    # The call is in the function that the text names, and its caller follows.
    part = log[log.index("Kernel panic"):]
    assert re.search(r"kernel mode, ip 0xf+[0-9a-f]+ (group_is_dead|task_exit)\S*\+", part), part
    assert re.search(r"\[[0-9a-f]{16}\] \S*(sys_exit|task_exit|process_group_exit)\S*\+", part), part


def test_panic_prints_tasks_and_trace_events(start):
    log, status = start("build/bench/root/bin/true-asm", smp=2).read()
    assert status == 97, log[-3000:]
    part = log[log.index("Kernel panic"):]
    assert re.search(r"CPU \d: task 1 of process 1, system call 60 exit\r?\n", part), part
    assert re.search(r"CPU \d: thread idle/\d", part), "the other CPU's thread\n" + part
    events = {int(cpu): lines for cpu, lines in
              re.findall(r"CPU (\d): last \d+ trace events\r?\n((?:\[[^]]*\]  [^\n]*\n)+)", part)}
    assert sorted(events) == [0, 1], part
    last = next(e for e in events.values() if "thread 1 ends" in e)
    order = ["exec by process 1", "page fault at ", "system call 60 exit", "thread 1 ends, status 0"]
    assert [w for w in order if w not in last] == [], last
    assert sorted(order, key=last.rindex) == order, last
    assert re.search(r"\d\.\d{6} switch to \S+", "".join(events.values())), part


def test_exception_in_the_kernel_prints_its_registers(start, tmp_path):
    """A jump to an address of user space, made by the debugger while the CPU idles."""
    path = tmp_path / "gdb"
    guest = start("build/stress/idle_init", qemu=[
        "-chardev", f"socket,id=gdb,path={path},server=on,wait=off", "-gdb", "chardev:gdb"])
    log, _ = guest.read(b"init sleeps")
    assert "init sleeps" in log, log
    time.sleep(1)  # any place in the kernel would do; when idle it is in none that holds locks
    gdb = Debugger(path)
    rbx, r15, rip = 1, 15, 16  # numbers of the protocol
    gdb.set_register(rbx, 0x1122334455667788)
    gdb.set_register(r15, 0x99aabbccddeeff)
    gdb.set_register(rip, 0x12345000)
    gdb.send("c")
    guest.vm.log.send(b"x")  # an interrupt, in case the CPU waits for one
    log, status = guest.read()
    assert status == 97, log[-3000:]
    part = log[log.index("bad jump"):]
    assert "bad jump at 0x12345000" in part and "page fault in the kernel" in part, part
    regs = registers(log)
    assert (regs["rbx"], regs["r15"], regs["cr2"]) == (0x1122334455667788, 0x99aabbccddeeff,
                                                       0x12345000), part
    assert "kernel mode, ip 0x12345000" in part and "thread idle/0" in part, part
    assert "interrupt 4" in part, "the serial line's among the trace events\n" + part


def test_keys_behind_a_break_on_the_console(start, tmp_path):
    """kernel.sysrq is Debian's 438: no dumps, but help and a reset."""
    path = tmp_path / "qmp"
    guest = start("build/stress/idle_init", qemu=["-qmp", f"unix:{path},server=on,wait=off"])
    log, _ = guest.read(b"init sleeps")
    assert "init sleeps" in log, log
    monitor = socket.socket(socket.AF_UNIX)
    monitor.connect(str(path))
    monitor.sendall(b'{"execute": "qmp_capabilities"}\n')
    for key, said in (("h", "terminate-all-tasks(e)"), ("m", "This sysrq operation is disabled."),
                      ("b", "sysrq: Resetting")):
        monitor.sendall(b'{"execute": "chardev-send-break", "arguments": {"id": "log"}}\n')
        time.sleep(0.5)  # a break and a byte are different things for QEMU's line
        guest.vm.log.send(key.encode())
        log, _ = guest.read(said.encode(), 20)
        assert said in log, log
    assert "Mem-Info" not in log


@pytest.mark.parametrize("kind,said", [
    ("read-after-free", "kasan: read of 1 bytes"),
    ("write-behind", "kasan: write of 1 bytes"),
    ("copy-behind", "kasan: write of 21 bytes"),
    ("free-page", "a free page"),
])
def test_the_debug_kernel_catches_a_stray_access_when_it_happens(debug_kernel, kind, said):
    done = run("busybox", "sh", "-c", f"echo {kind} >/proc/aramid/fault; echo survived",
               kernel=debug_kernel, options=("--as", "initramfs"))
    assert done.returncode == 97
    assert b"survived" not in done.stdout
    assert said in text(done.stderr), text(done.stderr)[-3000:]
    assert "kmem_make_fault" in text(done.stderr)
