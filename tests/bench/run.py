#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Measures Aramid beside Debian's Linux in the same emulated machine, and writes
docs/benchmarks.md and docs/benchmarks.svg. What is measured and how stands in the page itself."""
import argparse
import datetime
import gzip
import os
import pathlib
import platform
import re
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import types

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tools"), str(TOP / "tests" / "bench")]

from vm import cpio, kernels, machine  # noqa: E402
import report  # noqa: E402

TOOL = str(TOP / "tools" / "aramid")
ROOT = TOP / "build" / "bench" / "root"
INIT = TOP / "build" / "bench" / "init"
LINE = re.compile(rb"^BENCH (\S+) (\S+) (\S+) (\S+) (.*)$", re.M)

# 1 ns is 1 instruction, and two runs are the same.
COUNTING = ["-icount", "shift=0,sleep=off", "-rtc", "base=2020-01-01,clock=vm", "-seed", "1"]
# A plain model: on richer ones Linux copies with string instructions, which real CPUs run fast and
# the emulator slowly. The choice must not decide the comparison.
CPU = "qemu64"
BENCH_SECONDS = 1800
# Rows about disks that don't wait for one: what they cost is instructions of the CPU.
CPU_ROWS = ["disk_rewrite_4k_cached", "disk_read_1m_cached", "disk_read_4k_cached", "disk_randread_4k_cached",
            "files10k_create", "files10k_stat", "files10k_read", "files10k_unlink",
            "dir1k_create_stat_unlink", "dir10k_create_stat_unlink", "dir100k_create_stat_unlink",
            "tree20k_find_warm"]
SMALLEST_MEM = {"aramid": 4, "linux": 40}  # MiB: where the search starts
LARGEST_MEM = 160
RAM_SIZES = (256, 512)  # MiB
MIB = 1 << 20
BOOT_SECONDS = 30   # beyond, a boot has hung: Linux's does in a fifth of them on microvm
BOOT_ATTEMPTS = 4


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def boot(kernel, samples, rows, extra, append, present="initramfs"):
    """One machine running the benchmark program; {row: (median, min, max, unit) or reason}. From a disk
    it runs the rows about disks, else all others."""
    line = [TOOL, "run", "--as", present, "--kernel", kernel, "--accel", "tcg", "--cpu", CPU,
            "--timeout", str(BENCH_SECONDS), "--append", append, *[f"--qemu={word}" for word in extra], str(ROOT), "--",
            "/bin/bench", str(samples), *rows]
    done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    found = {}
    for name, median, low, high, unit in LINE.findall(done.stdout):
        name, unit = name.decode(), unit.decode().strip()
        found[name] = unit if median == b"-" else (float(median), float(low), float(high), unit)
    if done.returncode != 0 or b"BENCH-END" not in done.stdout:
        say(f"{kernel}: the machine ended with {done.returncode}: "
            f"{done.stderr.decode(errors='replace').strip()[-600:]}")
    return found


def no_randomness(kernel):
    return "norandmaps nokaslr" if kernel == "linux" else "norandmaps"


def instructions(names, rows):
    result = {}
    for kernel in names:
        say(f"{kernel}: counting instructions")
        found = boot(kernel, 1, rows, COUNTING, no_randomness(kernel))
        found.update(boot(kernel, 1, [r for r in rows if r in CPU_ROWS] or (rows and ["none"]) or CPU_ROWS,
                          COUNTING, no_randomness(kernel), "ext4"))
        result[kernel] = {row: value if isinstance(value, str) else value[0]
                          for row, value in found.items()}
    return result


def wall_times(names, rows, boots):
    """{kernel: {row: (best median, smallest, largest)}} of interleaved boots."""
    seen = {k: {} for k in names}
    units = {}
    for i in range(boots):
        for kernel in names:
            say(f"{kernel}: wall times, boot {i + 1} of {boots}")
            found = boot(kernel, 5, rows, [], no_randomness(kernel))
            found.update(boot(kernel, 3, rows, [], no_randomness(kernel), "ext4"))
            for row, value in found.items():
                if not isinstance(value, str):
                    seen[kernel].setdefault(row, []).append(value)
                    units[row] = value[3]
    result = {k: {} for k in names}
    for kernel, found in seen.items():
        for row, values in found.items():
            best = max if units[row] == "MiB/s" else min
            result[kernel][row] = (statistics.median(v[0] for v in values),
                                   best(v[2] if units[row] == "MiB/s" else v[1] for v in values))
    return result, units


def init_archive(folder):
    path = os.path.join(folder, "init.cpio")
    with open(path, "wb") as f:
        w = cpio.CpioWriter(f)
        w.add(b"dev", 0o040755)
        w.add(b"dev/console", 0o020600, rdev=(5, 1))
        w.add(b"init", 0o100755, INIT.read_bytes())
        w.close()
    return path


def boot_to_init(name, machine_type, archive):
    """Milliseconds from QEMU's start to the first output of process 1."""
    kernel = kernels.find(name)
    options = types.SimpleNamespace(accel="tcg", machine=machine_type, cpu=None, smp=1, gdb=False,
                                    qemu=[])
    start = time.monotonic()
    vm = machine.Machine(lambda log, channel: machine.command_line(
        options, kernel, archive, "console=ttyS0 quiet rdinit=/init panic=-1", 512 << 20, log,
        channel, [], machine.Network("none", [])))
    seen = b""
    try:
        while b"BENCH-INIT" not in seen and time.monotonic() - start < BOOT_SECONDS:
            if select.select([vm.log], [], [], 1)[0]:
                data = vm.log.recv(65536)
                if not data:
                    break
                seen += data
        return (time.monotonic() - start) * 1000 if b"BENCH-INIT" in seen else None
    finally:
        vm.kill()


def boot_times(names, boots):
    times = {}
    with tempfile.TemporaryDirectory() as folder:
        archive = init_archive(folder)
        for _ in range(boots):
            for kind in ("q35", "microvm"):
                for kernel in names:
                    attempts = (boot_to_init(kernel, kind, archive)
                                for _ in range(BOOT_ATTEMPTS))
                    ms = next((ms for ms in attempts if ms is not None), None)
                    if ms is not None:
                        times.setdefault((kernel, kind), []).append(ms)
    return {key: min(values) for key, values in times.items()}


def reaches_a_shell(kernel, kind, mem):
    line = [TOOL, "run", "--as", "initramfs", "--kernel", kernel, "--machine", kind, "--mem", f"{mem}M",
            "--timeout", "40", "alpine", "--", "sh", "-c", "ls / | wc -l; exit 3"]
    done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.returncode == 3


def smallest_mem(kernel, kind):
    low, high = SMALLEST_MEM[kernel], LARGEST_MEM  # low does not do (assumed), high does
    if not any(reaches_a_shell(kernel, kind, high) for _ in range(BOOT_ATTEMPTS)):
        return None
    while high - low > 2:
        middle = (low + high) // 4 * 2
        if middle <= low:
            break
        if reaches_a_shell(kernel, kind, middle):
            high = middle
        else:
            low = middle
    return high


def ram_used(kernel, mem):
    """MiB of a machine at Alpine's shell that (are not available to programs, the kernel itself
    uses: neither free nor contents of files nor of programs)."""
    line = [TOOL, "run", "--as", "initramfs", "--kernel", kernel, "--mem", f"{mem}M", "--timeout", "60",
            "alpine", "--", "cat", "/proc/meminfo"]
    done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    kib = {name.decode(): int(value) for name, value in
           re.findall(rb"^(\w+): *(\d+) kB", done.stdout, re.M)}
    if "MemAvailable" not in kib:
        return None, None
    others = sum(kib[name] for name in ("MemFree", "Buffers", "Cached", "AnonPages"))
    return mem - kib["MemAvailable"] / 1024, mem - others / 1024


def unpacked_linux(path):
    """Bytes that a bzImage unpacks to: the compressed payload (x86 boot protocol, payload_offset
    and payload_length) ends with them."""
    data = pathlib.Path(path).read_bytes()
    sectors = data[0x1f1] or 4
    offset, length = struct.unpack_from("<II", data, 0x248)
    return struct.unpack_from("<I", data, (sectors + 1) * 512 + offset + length - 4)[0]


def kernel_sizes(name):
    """(compressed, unpacked) bytes of the kernel file as it is booted, without debug information."""
    path = kernels.find(name).path
    if name == "linux":
        return os.path.getsize(path), unpacked_linux(path)
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run(["strip", "-o", out.name, path], check=True)
        data = pathlib.Path(out.name).read_bytes()
    return len(gzip.compress(data)), len(data)


def machine_facts(names, boots):
    facts = []

    def add(what, unit, values):
        facts.append((what, unit, {k: v for k, v in zip(names, values)}))
    say("start-up times")
    times = boot_times(names, boots)
    for kind in ("q35", "microvm"):
        add(f"boot_to_init, {kind}", "ms", [times.get((k, kind)) for k in names])
    say("memory")
    for kind in ("q35", "microvm"):
        add(f"smallest --mem that reaches Alpine's shell, {kind}", "MiB",
            [smallest_mem(k, kind) for k in names])
    for mem in RAM_SIZES:
        used = [ram_used(k, mem) for k in names]
        add(f"RAM not available to programs at Alpine's shell, of {mem} MiB", "MiB",
            [u[0] for u in used])
        add(f"RAM used by the kernel itself, of {mem} MiB", "MiB", [u[1] for u in used])
    sizes = [kernel_sizes(k) for k in names]
    add("kernel file, compressed", "MiB", [s[0] / MIB for s in sizes])
    add("kernel file, unpacked and stripped", "MiB", [s[1] / MIB if s[1] else None for s in sizes])
    return facts


def circumstances(boots):
    commit = subprocess.run(["git", "-C", TOP, "describe", "--always", "--dirty"],
                            capture_output=True, text=True, check=False).stdout.strip()
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        model = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")),
                     platform.machine())
    qemu = subprocess.run([machine.QEMU, "--version"], capture_output=True, text=True,
                          check=False).stdout.split("\n")[0]
    return {"date": datetime.date.today().isoformat(), "commit": commit, "cpu": model,
            "cpus": os.cpu_count(), "qemu": qemu, "accel": "TCG", "model": CPU, "boots": boots,
            "linux": os.path.basename(kernels.find("linux").path).removeprefix("vmlinuz-")}


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--boots", type=int, default=3, help="boots for each kernel's wall times")
    p.add_argument("--rows", default="", help="only these, separated by commas")
    p.add_argument("--kernels", default="aramid,linux")
    p.add_argument("--skip-machine", action="store_true", help="no start-up, memory, size rows")
    p.add_argument("--dry-run", action="store_true", help="print the page instead of writing it")
    o = p.parse_args()
    names = o.kernels.split(",")
    rows = [r for r in o.rows.split(",") if r]
    counted = instructions(names, rows)
    timed, units = wall_times(names, rows, o.boots)
    facts = [] if o.skip_machine or rows else machine_facts(names, o.boots)
    order = list(dict.fromkeys(row for table in (counted, timed) for k in names for row in table.get(k, {})))
    page, chart = report.write(order, units, counted, timed, facts, circumstances(o.boots))
    if o.dry_run:
        print(page)
        return
    (TOP / "docs").mkdir(exist_ok=True)
    (TOP / "docs" / "benchmarks.md").write_text(page, encoding="utf-8")
    (TOP / "docs" / "benchmarks.svg").write_text(chart, encoding="utf-8")
    say("wrote docs/benchmarks.md and docs/benchmarks.svg")


if __name__ == "__main__":
    main()
