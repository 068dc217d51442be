# SPDX-License-Identifier: MIT
"""The contract tests (tests/contract/AREA/*.c) in a guest: one boot per area and machine, one
pytest result per test. A machine is a build of the kernel, a machine type, a C library and a
number of CPUs.

Every test has passed on Debian's Linux 6.1 first: `pytest --kernels linux,aramid` runs both.
"""
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BINARIES = TOP / "build" / "contract"

# Build, machine type, C library and CPUs; the areas that are about concurrency also run with 4.
MACHINES = [("release", "q35", "glibc", 2), ("release", "microvm", "musl", 1),
            ("debug", "q35", "glibc", 4)]
MORE_MACHINES = [("release", "q35", "glibc", 4)]
LINUX_MACHINES = [("release", "q35", "glibc", 2), ("release", "q35", "musl", 1)]
CONCURRENT = {"clone", "epoll", "futex", "memory", "mqueue", "pipes", "poll", "ptrace", "signals", "stress", "sysv", "wait"}

# Image files of the area ext4, in /images: what mke2fs is told.
IMAGES = {"plain": [], "small": ["-I", "128"], "ea": ["-O", "ea_inode"], "1k": ["-b", "1024"]}

# Interfaces of the area wire: two pairs, each joined by a hub.
WIRES = [word for i in range(4) for word in (
    "--qemu=-netdev", f"--qemu=hubport,id=wire{i},hubid={i // 2 + 1}",
    "--qemu=-device", f"--qemu=virtio-net-pci,romfile=,netdev=wire{i},mac=52:54:00:00:00:0{i}")]

# Seconds for a whole area; each test has its own limit of TEST_TIMEOUT inside the guest.
AREA_TIMEOUT = 900
TEST_TIMEOUT = 60

LINE = re.compile(r"^(ok|not ok) \d+ (\S+)(?: # (.*))?$")


def areas():
    return sorted(p.parent.name for p in (TOP / "tests" / "contract").glob("*/*.c")
                  if p.parent.name != "harness" and p == sorted(p.parent.glob("*.c"))[0])


def kernels(config):
    try:
        chosen = config.getoption("--kernels")
    except ValueError:
        chosen = None
    if not chosen:
        chosen = ["aramid"]
    return chosen.split(",") if isinstance(chosen, str) else list(chosen)


def listing(libc, area):
    binary = BINARIES / libc / area
    out = subprocess.run([binary, "--list"], check=True, capture_output=True, text=True)
    return out.stdout.split()


def pytest_generate_tests(metafunc):
    subprocess.run(["make", "-s", "-C", TOP, "contract"], check=True, stdout=subprocess.DEVNULL)
    if "aramid" in kernels(metafunc.config):
        subprocess.run(["make", "-s", "-j", str(os.cpu_count()), "-C", TOP, "DEBUG=1"], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    params = []
    for kernel in kernels(metafunc.config):
        for area in areas():
            machines = MACHINES if kernel == "aramid" else LINUX_MACHINES
            machines = machines + (MORE_MACHINES if area in CONCURRENT else [])
            # A microvm has no PCI for the interfaces of wire.
            for build, machine, libc, cpus in machines:
                if area == "wire" and machine == "microvm":
                    machine = "q35"
                for name in [*listing(libc, area), "machine"]:  # "machine": that it ended well
                    boot = (kernel, build, machine, libc, cpus, area)
                    params.append(pytest.param(
                        boot, name, id=f"{kernel}-{build}-{machine}-{libc}-{cpus}cpu-"
                        f"{area + '.' if name == 'machine' else ''}{name}"))
    metafunc.parametrize("boot,name", params)


def make_images(folder):
    os.mkdir(folder)
    for name, options in IMAGES.items():
        file = os.path.join(folder, name + ".img")
        with open(file, "wb") as image:
            image.truncate(8 << 20)
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096"] + options + [file], check=True,
                       stdin=subprocess.DEVNULL)


def run_area(kernel, build, machine, libc, cpus, area):
    """Boots once; returns {test name: (passed, message)} and the guest's output."""
    with tempfile.TemporaryDirectory(prefix="contract-") as root:
        os.chmod(root, 0o755)
        for name in ("dev", "proc", "sys", "tests", "tmp"):
            os.mkdir(os.path.join(root, name))
        shutil.copy(BINARIES / libc / area, os.path.join(root, "tests"))
        file = kernel if build == "release" else TOP / "build" / "aramid-debug"
        # Debian has loop devices as a module, which comes with the start archive of a disk's root.
        present = "ext4" if kernel == "linux" and area in ("block", "ext4") else "initramfs"
        if area == "ext4":
            make_images(os.path.join(root, "images"))
        command = [TOP / "tools" / "aramid", "run", "--net", "none", "--as", present, "--kernel", file,
                   "--machine", machine, "--smp", str(cpus), "--mem", "512M", "--timeout", str(AREA_TIMEOUT),
                   *(WIRES if area == "wire" else []), root, "--", "/tests/" + area, "--timeout", str(TEST_TIMEOUT)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=AREA_TIMEOUT + 60)
    text = done.stdout.decode(errors="replace").replace("\r", "")
    results = {}
    for line in text.split("\n"):
        match = LINE.match(line.strip())
        if match:
            results[match[2]] = (match[1] == "ok", match[3] or "")
    # A panic or a hang after the last result would else go unseen: 1 is what failed tests give.
    results["machine"] = (done.returncode in (0, 1), f"exit status {done.returncode}: {text[-2000:]}")
    return results, f"exit status {done.returncode}\n{text}"


@pytest.fixture(scope="session")
def boots(request):
    """All boots that the selected tests need, a few at a time."""
    needed = []
    for item in request.session.items:
        boot = getattr(item, "callspec", None) and item.callspec.params.get("boot")
        if boot and boot not in needed:
            needed.append(boot)
    workers = max(1, (os.cpu_count() or 2) // 2)
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        yield {boot: pool.submit(run_area, *boot) for boot in needed}


def test_contract(boots, boot, name):
    results, output = boots[boot].result()
    if name not in results:
        pytest.fail(f"{name}: no result; the guest said:\n{output[-3000:]}", pytrace=False)
    passed, message = results[name]
    if passed and message.startswith("SKIP"):
        pytest.skip(message[5:])
    if not passed:
        pytest.fail(f"{name}: {message}", pytrace=False)
