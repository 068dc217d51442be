# SPDX-License-Identifier: MIT
"""Programs that take all there is: they are refused or killed, and the machine stays usable."""
import pytest

from guest import TOP, run

ROOT = TOP / "build" / "stress" / "root"
OUTCOMES = {
    "memory": "killed",
    "maps": "killed",
    "files": "refused",
    "inodes": "refused",
    "descriptors": "refused",
    "pipes": "killed",
    "bomb": "ended",
    "fat-bomb": "ended",
}
LINUX_NEEDS = {"64M"}


def pytest_generate_tests(metafunc):
    metafunc.parametrize("kernel", metafunc.config.getoption("--kernels").split(","))


@pytest.mark.parametrize("mem", ["64M", "96M", "256M"])
@pytest.mark.parametrize("uid", ["0", "1000"])
@pytest.mark.parametrize("mode", OUTCOMES)
def test_exhaust(kernel, mode, uid, mem):
    if kernel == "linux" and mem in LINUX_NEEDS:
        pytest.skip("Linux does not boot with so little")
    done = run(ROOT, "/bin/exhaust", mode, uid, kernel=kernel, timeout=60,
               options=["--as", "initramfs", "--smp", "2", "--mem", mem, "-v"])
    said = done.stdout.decode()
    log = done.stderr.decode(errors="replace")[-3000:]
    assert done.returncode == 0, f"status {done.returncode}; it said:\n{said}\n{log}"
    # With more memory than descriptors for it, pipes end at the limit of the latter.
    assert OUTCOMES[mode] in said or (mode == "pipes" and "refused" in said), said
