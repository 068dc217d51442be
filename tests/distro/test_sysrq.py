# SPDX-License-Identifier: MIT
"""Keys for emergencies through /proc/sysrq-trigger, and settings that end the machine. The same on Linux."""
import re

import pytest

from guest import run

PANICKED = 97


def sysrq(kernel, command, **options):
    # -v: the kernel's log, also of what comes last.
    return run("alpine", "sh", "-c", command, kernel=kernel, options=["-v", "--as", "initramfs", "--net", "none"],
               **options)


def text(done):
    return (done.stdout + done.stderr).decode(errors="replace").replace("\r", "")


def test_dumps_and_levels(kernel):
    done = sysrq(kernel, r"""
        dmesg -c >/dev/null
        for k in m w s u 5 8 ?; do echo $k > /proc/sysrq-trigger; done
        until dmesg | grep -q "Emergency Sync complete" && dmesg | grep -q "Emergency Remount complete"
        do usleep 10000; done
        dmesg | sed 's/^[^a-zA-Z]*[0-9.]*\] *//'
        cut -f1 /proc/sys/kernel/printk""")
    out = text(done)
    for line in ("sysrq: Show Memory", "Mem-Info:", "pages RAM", "sysrq: Show Blocked State", "sysrq: Emergency Sync",
                 "Emergency Sync complete", "sysrq: Emergency Remount R/O", "Emergency Remount complete",
                 "sysrq: Changing Loglevel", "sysrq: HELP : loglevel(0-9)", "show-blocked-tasks(w)"):
        assert line in out, f"expected {line!r} in:\n{out}"
    assert re.search(r"^8$", out, re.M)


def test_task_states(kernel):
    done = sysrq(kernel, r"""
        dmesg -c >/dev/null; sleep 77 &
        until grep -q "^Name:.sleep" /proc/$!/status && grep -q "^State:.S" /proc/$!/status; do usleep 10000; done
        echo t > /proc/sysrq-trigger; dmesg; kill $!""")
    assert re.search(r"task:sleep +state:S ", text(done)), text(done)


def test_only_root_may(kernel):
    done = sysrq(kernel, "su nobody -s /bin/sh -c 'echo h > /proc/sysrq-trigger'; ls -l /proc/sysrq-trigger")
    assert "ermission denied" in text(done)
    assert "--w-------" in text(done)


def test_crash_is_a_panic(kernel):
    done = sysrq(kernel, "echo c > /proc/sysrq-trigger; echo not reached")
    assert done.returncode == PANICKED, text(done)
    assert "Kernel panic - not syncing: sysrq triggered crash" in text(done)
    assert "not reached" not in text(done)


def test_signals_to_all(kernel):
    """Everybody but process 1 goes; the tool's own init tells how the command ended."""
    done = sysrq(kernel, "echo i > /proc/sysrq-trigger; sleep 5; echo not reached")  # time for the kill to come
    assert done.returncode == 128 + 9, text(done)


def test_oom_by_hand(kernel):
    done = sysrq(kernel, r"""
        dmesg -c >/dev/null
        sh -c 'echo 1000 > /proc/self/oom_score_adj; exec sleep 77' &
        until grep -q "^Name:.sleep" /proc/$!/status; do usleep 10000; done
        echo f > /proc/sysrq-trigger; wait $!; echo "status $?"; dmesg""")
    assert "status 137" in text(done), text(done)
    assert "Manual OOM execution" in text(done)
    assert re.search(r"Out of memory.*Killed process \d+ \(sleep\)", text(done)), text(done)


@pytest.mark.parametrize("key,name", [("o", "Power Off"), ("b", "Resetting")])
def test_the_end(kernel, key, name):
    """Off or reset: the tool sees a machine that went away before its command ended."""
    done = sysrq(kernel, f"echo {key} > /proc/sysrq-trigger; sleep 20; echo not reached", timeout=90)
    assert f"sysrq: {name}" in text(done)
    assert "not reached" not in text(done)
    assert done.returncode == 125, text(done)
