# SPDX-License-Identifier: MIT
"""One machine per root and kernel for all tests of a file; a new one after a machine has died."""
import functools
import os
import subprocess

import pytest

from guest import TOP, Terminal, run

MACHINES = {
    "alpine": {"root": "alpine", "options": ["--smp", "2"], "shell": "sh"},
    "debian": {"root": "debian", "options": ["--smp", "2"], "shell": "bash"},
    "network": {"root": "debian", "options": ["--smp", "2", "--net", "user"], "shell": "bash"},
}


def pytest_generate_tests(metafunc):
    if "kernel" in metafunc.fixturenames:
        metafunc.parametrize("kernel", metafunc.config.getoption("--kernels").split(","),
                             scope="session")


@pytest.fixture(scope="session")
def machines():
    started = {}
    yield started
    for terminal in started.values():
        terminal.close()


@functools.cache
def _build_root(name):
    """The first use of a root may have to build or to fetch it, which takes longer than any boot."""
    done = run(name, "true", timeout=1200)
    assert done.returncode == 0, done.stderr.decode()


def _terminal(machines, name, kernel):
    _build_root(MACHINES[name]["root"])
    key = (name, kernel)
    if key in machines and not machines[key].alive():
        machines.pop(key).close()
    if key not in machines:
        machines[key] = Terminal(kernel=kernel, **MACHINES[name])
    return machines[key]


def _in_a_fresh_folder(machines, name, kernel, test):
    terminal = _terminal(machines, name, kernel)
    try:
        terminal.check("cd $(mktemp -d)")
    except Exception:
        # Whatever the test before has left behind: this one gets a machine in a known state.
        machines.pop((name, kernel)).close()
        terminal = _terminal(machines, name, kernel)
        terminal.check("cd $(mktemp -d)")
    return terminal


@pytest.fixture
def alpine(machines, kernel, request):
    return _in_a_fresh_folder(machines, "alpine", kernel, request.node.name)


@pytest.fixture
def debian(machines, kernel, request):
    return _in_a_fresh_folder(machines, "debian", kernel, request.node.name)


@pytest.fixture
def network(machines, kernel, request):
    """A Debian machine with QEMU's user network."""
    return _in_a_fresh_folder(machines, "network", kernel, request.node.name)


@pytest.fixture(scope="session")
def debug_kernel():
    subprocess.run(["make", "-s", "-j", str(os.cpu_count()), "-C", TOP, "DEBUG=1"], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return str(TOP / "build" / "aramid-debug")
