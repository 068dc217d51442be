# SPDX-License-Identifier: MIT
"""What tools/aramid promises: bytes, exit statuses, refusals. And what a machine does that cannot
start: one clear message, the defined exit, never a hang."""
import hashlib
import os
import re
import select
import subprocess
import sys
import time
import types

import pytest

from guest import TOOL, TOP, run

sys.path.insert(0, str(TOP / "tools"))
from vm import cpio, kernels, machine  # noqa: E402


def text(data):
    return data.decode(errors="replace")


# ---- bytes -----------------------------------------------------------------------------------

def test_output_error_and_status_are_the_commands(kernel):
    done = run("alpine", "sh", "-c", "echo out; echo err >&2; exit 3", kernel=kernel)
    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", 3)


def test_apk_sees_alpines_fourteen_packages(kernel):
    done = run("alpine", "sh", "-c", "apk info 2>/dev/null | wc -l; exit 3", kernel=kernel)
    assert (done.stdout, done.returncode) == (b"14\n", 3), text(done.stderr)


def test_binary_input_and_output_are_unchanged(kernel):
    data = os.urandom(100_000)
    done = run("alpine", "sh", "-c", "tee /tmp/x; sha256sum /tmp/x >&2", kernel=kernel, stdin=data)
    assert done.returncode == 0, text(done.stderr)
    assert hashlib.sha256(data).hexdigest() in text(done.stderr)
    assert done.stdout == data


def test_input_that_nobody_reads_does_not_hang(kernel):
    done = run("alpine", "true", kernel=kernel, stdin=b"x" * 100_000)
    assert done.returncode == 0, text(done.stderr)


def test_command_gets_its_arguments_as_they_are(kernel):
    words = ["a b", "", "$HOME", "'", "ü", "\n"]
    done = run("alpine", "printf", "[%s]", *words, kernel=kernel)
    assert done.stdout.decode() == "".join(f"[{w}]" for w in words)


def test_reader_that_goes_away_ends_the_command(kernel):
    with subprocess.Popen([TOOL, "run", "--kernel", kernel, "--timeout", "60", "alpine", "--",
                           "yes"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as p:
        assert p.stdout.read(4) == b"y\ny\n"
        p.stdout.close()
        assert p.wait(60) == 128 + 13


def test_shell_reads_its_commands_from_input(kernel):
    done = run("alpine", kernel=kernel, stdin=b"echo $((6 * 7))\nexit 4\n")
    assert b"42" in done.stdout and done.returncode == 4, text(done.stderr)


def test_closed_input_ends_the_shell_and_the_machine(kernel):
    line = f"exec '{TOOL}' run --kernel {kernel} --timeout 60 alpine <&-"
    assert subprocess.run(["bash", "-c", line], capture_output=True, check=False,
                          timeout=90).returncode == 0


# ---- exit statuses ---------------------------------------------------------------------------

def test_signal_gives_128_and_its_number(kernel):
    assert run("alpine", "sh", "-c", "kill -9 $$", kernel=kernel).returncode == 137


def test_missing_command_gives_127(kernel):
    done = run("alpine", "nosuchcommand", kernel=kernel)
    assert done.returncode == 127 and b"nosuchcommand: No such file" in done.stderr


def test_time_limit_gives_124(kernel):
    start = time.monotonic()
    done = run("alpine", "sleep", "1000", kernel=kernel, timeout=8)
    assert done.returncode == 124 and time.monotonic() - start < 30


def test_words_of_a_panic_on_the_console_are_none(kernel):
    done = run("alpine", kernel=kernel, stdin=b"echo 'an old log: Kernel panic - not syncing: foo' "
               b"> /dev/console; echo 'Kernel panic - not syncing: foo' > /dev/console; poweroff -f\n")
    assert done.returncode == 0 and b"panicked" not in done.stderr, text(done.stderr)


def test_network_of_the_emulator_is_set_up(kernel):
    done = run("alpine", "sh", "-c", "ip -4 addr show eth0; ip route; cat /etc/resolv.conf; ping -c 1 10.0.2.2",
               kernel=kernel, options=["--net", "user"])
    assert done.returncode == 0, done.stderr
    for part in (b"inet 10.0.2.15/24", b"default via 10.0.2.2", b"nameserver 10.0.2.3",
                 b"1 packets received"):
        assert part in done.stdout, (part, done.stdout)


@pytest.mark.parametrize("options", [["-p", "8080"], ["-p", "0:80"], ["--net", "none", "-p", "8080:80"]],
                         ids=["half", "zero", "none"])
def test_ports_that_cannot_be_forwarded_are_named(options):
    done = run("alpine", "true", options=options)
    assert done.returncode == 125
    assert b"-p " in done.stderr


@pytest.mark.parametrize("option", [["--mem", "0"], ["--mem", "x"], ["--smp", "0"], ["--smp", "65"],
                                    ["--timeout", "0"], ["--net", "bogus"]],
                         ids=lambda o: "".join(o).strip("-"))
def test_values_out_of_range_are_named(option):
    done = run("alpine", "true", options=option)
    assert done.returncode == 125
    assert f"{option[0]} {option[1]}: ".encode() in done.stderr


def test_unknown_root_and_kernel_give_125(kernel):
    done = run("/nonexistent/root", "true", kernel=kernel)
    assert done.returncode == 125 and b"/nonexistent/root: no such file" in done.stderr
    done = run("busybox", "true", kernel="/nonexistent/kernel")
    assert done.returncode == 125 and b"/nonexistent/kernel" in done.stderr


# ---- roots -----------------------------------------------------------------------------------

def test_folder_as_root(kernel, tmp_path):
    (tmp_path / "sh").write_bytes((TOP / "build/bench/root/bin/busybox").read_bytes())
    (tmp_path / "sh").chmod(0o755)
    done = run(tmp_path, "/sh", "-c", "echo $0 $1", "from", "a folder", kernel=kernel)
    assert done.stdout == b"from a folder\n", text(done.stderr)


def test_tar_with_hard_links_and_owners_as_root(kernel, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "busybox").write_bytes((TOP / "build/bench/root/bin/busybox").read_bytes())
    (root / "busybox").chmod(0o755)
    os.link(root / "busybox", root / "stat")
    archive = tmp_path / "root.tar.xz"
    subprocess.run(["tar", "-cJf", archive, "--owner=7", "--group=8", "-C", root, "."], check=True)
    done = run(archive, "/stat", "-c", "%h %u %g %a", "/busybox", kernel=kernel)
    assert done.stdout == b"2 7 8 755\n", text(done.stderr)


def test_ext4_image_as_root(kernel, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "sh").write_bytes((TOP / "build/bench/root/bin/busybox").read_bytes())
    (root / "sh").chmod(0o755)
    image = tmp_path / "root.img"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", root, image, "16M"], check=True)
    done = run(image, "/sh", "-c", "echo from an image", kernel=kernel)
    assert done.stdout == b"from an image\n", text(done.stderr)


def test_broken_tar_is_named(tmp_path):
    bad = tmp_path / "bad.tar.gz"
    bad.write_bytes(b"\x1f\x8b\x08 not really gzip")
    done = run(bad, "true", kernel="linux")
    assert done.returncode == 125 and b"bad.tar.gz" in done.stderr


# ---- machines that cannot start --------------------------------------------------------------

def boot(kernel, archive, append="", mem=256, seconds=60, board="q35", cpu=None):
    """Boots an initramfs as it is; returns (the kernel's log, QEMU's status, None: had to be
    killed)."""
    options = types.SimpleNamespace(accel="tcg", machine=board, cpu=cpu, smp=1, gdb=False, qemu=[])
    found = kernels.find(kernel)
    vm = machine.Machine(lambda log, channel: machine.command_line(
        options, found, str(archive), f"console=ttyS0 panic=-1 {append}", mem << 20, log, channel,
        [], machine.Network("none", [])))
    log, end = b"", time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            if select.select([vm.log], [], [], 0.5)[0]:
                data = vm.log.recv(65536)
                if not data:
                    return text(log), vm.process.wait(10)
                log += data
        return text(log), None
    finally:
        vm.kill()


def archive_with(path, init, mode=0o100755, ballast=0):
    with open(path, "wb") as f:
        w = cpio.CpioWriter(f)
        w.add(b"dev", 0o040755)
        w.add(b"dev/console", 0o020600, rdev=(5, 1))
        if init is not None:
            w.add(b"init", mode, init)
        if ballast:
            w.add(b"ballast", 0o100644, bytes(ballast))
        w.close()
    return path


def panicked(kernel, log, status):
    """Linux's panic=-1 reboots, which ends QEMU with 0; Aramid says it with 97."""
    if kernel == "linux":
        return status == 0 and "Kernel panic" in log
    return status == 97 and "panic" in log.lower()


@pytest.mark.parametrize("init,linux,aramid", [
    (None, "Unable to mount root fs", "not syncing: Requested rdinit /init failed (error -2)"),
    (b"", "Failed to execute /init (error -8)", "Failed to execute /init (error -8, ENOEXEC)"),
    (b"\x7fELF\x02\x01\x01", "Failed to execute /init (error -8)",
     "Failed to execute /init (error -8, ENOEXEC)"),
    (b"#!/nonexistent\n", "Failed to execute /init (error -2)",
     "Failed to execute /init (error -2): its interpreter is missing"),
], ids=["missing", "empty", "truncated-elf", "missing-interpreter"])
def test_init_that_cannot_start_panics(kernel, tmp_path, init, linux, aramid):
    log, status = boot(kernel, archive_with(tmp_path / "a.cpio", init), "rdinit=/init")
    assert panicked(kernel, log, status), f"status {status}\n{log[-3000:]}"
    assert (linux if kernel == "linux" else aramid) in log, log[-3000:]


def test_init_that_ends_panics(kernel, tmp_path):
    program = (TOP / "build/bench/root/bin/true-asm").read_bytes()
    log, status = boot(kernel, archive_with(tmp_path / "a.cpio", program), "rdinit=/init")
    assert panicked(kernel, log, status), f"status {status}\n{log[-3000:]}"
    assert "Attempted to kill init" in log


def test_init_outlives_its_cpu_limit(kernel, tmp_path):
    program = (TOP / "build/stress/busy_init").read_bytes()
    log, status = boot(kernel, archive_with(tmp_path / "a.cpio", program), "rdinit=/init")
    assert "init lives on" in log and status is not None, f"status {status}\n{log[-3000:]}"


def test_truncated_initramfs_is_named(kernel, tmp_path):
    whole = archive_with(tmp_path / "a.cpio", b"x" * 100_000).read_bytes()
    (tmp_path / "b.cpio").write_bytes(whole[:50_000])
    log, status = boot(kernel, tmp_path / "b.cpio", "rdinit=/init")
    assert panicked(kernel, log, status), f"status {status}\n{log[-3000:]}"
    assert "initramfs" in log.lower()


def test_initramfs_of_rubbish_is_named(kernel, tmp_path):
    (tmp_path / "b.cpio").write_bytes(b"rubbish" * 1000)
    log, status = boot(kernel, tmp_path / "b.cpio", "rdinit=/init")
    assert panicked(kernel, log, status), f"status {status}\n{log[-3000:]}"
    assert "initramfs" in log.lower() and "error 22" not in log


@pytest.mark.parametrize("board", ["q35", "pc", "microvm"])
@pytest.mark.parametrize("ballast", [0, 2])
def test_too_little_memory_is_named(kernel, tmp_path, board, ballast):
    """Each size ends in a boot or in a message that names memory and how much there is."""
    if kernel == "linux":
        pytest.skip("Debian's Linux hangs without a word when it has too little memory")
    program = (TOP / "build/bench/root/bin/true-asm").read_bytes()
    archive = archive_with(tmp_path / "a.cpio", program, ballast=ballast << 20)
    # Where QEMU would lay the initramfs over its own firmware, no kernel gets to speak.
    for mem in range(1 + (ballast + 1 if ballast else 0), 17):
        log, status = boot(kernel, archive, "quiet rdinit=/init", mem=mem, seconds=15, board=board)
        named = re.search(r"too little memory: \d+ KiB of RAM", log)
        assert status == 97, f"{mem} MiB: status {status}\n{log[-3000:]}"
        assert named or "Attempted to kill init" in log, f"{mem} MiB:\n{log[-3000:]}"
        if mem <= 2:
            assert named, f"{mem} MiB:\n{log[-3000:]}"


@pytest.mark.parametrize("board", ["q35", "microvm"])
@pytest.mark.parametrize("cpu,names", [
    ("qemu64,-lm", ["long mode (lm)"]), ("qemu64,-fxsr", ["FXSAVE and FXRSTOR (fxsr)"]),
    ("qemu64,-syscall", ["SYSCALL (syscall)"]), ("qemu64,-sse2", ["SSE2 (sse2)"]),
    ("qemu32", ["long mode (lm)", "SYSCALL (syscall)"]), ("486", ["long mode (lm)", "PAE (pae)"]),
], ids=lambda v: v if isinstance(v, str) else "")
def test_cpu_that_lacks_something_is_told_what(tmp_path, cpu, names, board):
    program = (TOP / "build/bench/root/bin/true-asm").read_bytes()
    archive = archive_with(tmp_path / "a.cpio", program)
    log, status = boot("aramid", archive, "rdinit=/init", seconds=20, board=board, cpu=cpu)
    assert status == 97, f"status {status}\n{log[-3000:]}"
    message = re.search(r"Kernel panic - not syncing: this CPU lacks ([^\r\n]*)\r\n", log)
    assert message and [n for n in names if n not in message[1]] == [], log


@pytest.mark.parametrize("cpu", ["qemu64,-nx", "qemu64,-pge", "qemu64,-sse3"])
def test_cpu_with_the_minimum_boots(tmp_path, cpu):
    program = (TOP / "build/bench/root/bin/true-asm").read_bytes()
    archive = archive_with(tmp_path / "a.cpio", program)
    log, status = boot("aramid", archive, "rdinit=/init", cpu=cpu)
    assert status == 97 and "Attempted to kill init" in log, f"status {status}\n{log[-3000:]}"


@pytest.mark.parametrize("root,mem", [("busybox", "3M"), ("alpine", "8M"), ("alpine", "10M")])
def test_memory_that_the_root_does_not_fit_into_is_named(root, mem):
    done = run(root, "echo", "hi", options=["--as", "initramfs", "--mem", mem])
    assert done.returncode in (97, 125) and b"too little" in done.stderr, text(done.stderr)


def test_initramfs_above_the_memory_limit_is_moved(kernel):
    done = run("busybox", "grep", "MemTotal", "/proc/meminfo", kernel=kernel,
               options=["--as", "initramfs", "--append", "mem=96M"])
    assert done.returncode == 0 and int(done.stdout.split()[1]) < 96 << 10, text(done.stderr)


# ---- the kernel's command line ---------------------------------------------------------------

def test_unknown_words_are_inits_arguments_and_environment(kernel):
    words = "one TERM=vt100 foo=bar foo=baz init=/bin/x two a.b=c -- three=3 four"
    done = run("busybox", "sh", "-c", "tr '\\0' ' ' </proc/1/environ; tr '\\0' ' ' </proc/1/cmdline;"
               "dmesg | grep -o 'Unknown kernel command .*'", kernel=kernel,
               options=["--append", words])
    assert done.stdout.decode() == (
        "HOME=/ TERM=vt100 foo=baz /.aramid/init two three=3 four "
        'Unknown kernel command line parameters "two foo=baz", will be passed to user space.\n')


@pytest.mark.parametrize("word", ["mem=abc", "mem=1", "maxcpus=bogus", "panic=x", "loglevel=zz", "trace=foo",
                                  "trace=syscalls,foo", "transparent_hugepage=some", "console=ttyS0,fast",
                                  "console=nowhere0", "virtio_mmio.device=1"])
def test_bad_values_are_shown_without_asking(word):
    done = run("busybox", "dmesg", options=["--append", word])
    message = f"command line: bad value: {word}"
    assert done.returncode == 0 and done.stdout.count(message.encode()) == 1, text(done.stdout)
    assert done.stderr.count(message.encode()) == 1, text(done.stderr)
