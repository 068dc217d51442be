# SPDX-License-Identifier: MIT
"""Machines for tests: one command and its result, or a shell on a terminal driven by pexpect."""
import pathlib
import re
import subprocess
import time

import pexpect

TOP = pathlib.Path(__file__).resolve().parents[1]
TOOL = str(TOP / "tools" / "aramid")
PROMPT = "@@ready@@ "
COMMAND_SECONDS = 60
BOOT_SECONDS = 120


def network(options):
    """Tests that don't ask for a network have none: a boot without a device is shorter."""
    return () if "--net" in options or "-p" in options else ("--net", "none")


def run(root, *command, kernel="aramid", stdin=b"", timeout=BOOT_SECONDS, options=(), prefix=()):
    """tools/aramid run; returns what subprocess.run does, with bytes. prefix: a command that runs it."""
    line = [*prefix, TOOL, "run", "--kernel", kernel, "--timeout", str(timeout),
            *network(options), *options, str(root)]
    if command:
        line += ["--", *command]
    return subprocess.run(line, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False, timeout=timeout + 60)


class Terminal:
    """Someone in front of a guest's terminal. `sh` is the shell's name there."""

    rows, columns = 24, 250  # wide: no line that is typed here wraps

    def __init__(self, root, kernel, options=(), shell="sh"):
        self.arguments = ["run", "--kernel", kernel, "--timeout", "1200",
                          *network(options), *options, str(root), "--", shell]
        self.shell = shell
        self.child = None
        self.start()

    def start(self):
        self.child = pexpect.spawn(TOOL, self.arguments, timeout=COMMAND_SECONDS,
                                   encoding="utf-8", codec_errors="replace",
                                   dimensions=(self.rows, self.columns))
        self.child.delaybeforesend = 0
        self.child.expect(r"[#$] ", timeout=BOOT_SECONDS)
        # Written so that the echo of this line is not taken for the prompt. dumb: no escape codes.
        self.send_line("export TERM=dumb; PS1='@@''ready@@ '; PS2=; set +o history 2>/dev/null")
        self.prompt()

    def alive(self):
        return self.child.isalive()

    def close(self):
        self.child.close(force=True)

    def send(self, keys):
        self.child.send(keys)

    def send_line(self, line):
        self.child.send(line + "\r")

    def expect(self, pattern, timeout=COMMAND_SECONDS):
        """Waits for a regular expression; returns the text before it."""
        self.child.expect(pattern, timeout=timeout)
        return self.child.before

    def expect_exact(self, text, timeout=COMMAND_SECONDS):
        self.child.expect_exact(text, timeout=timeout)
        return self.child.before

    def prompt(self, timeout=COMMAND_SECONDS):
        return self.expect_exact(PROMPT, timeout)

    def settle(self, seconds=0.5):
        """Gives the guest time for something that cannot be waited for."""
        time.sleep(seconds)

    def run(self, line, timeout=COMMAND_SECONDS):
        """Types a line (or several); returns (output, exit status of the last command)."""
        marker = "@@status"
        self.child.send(line.replace("\n", "\r") + f"\recho {marker}''=$?=\r")
        self.child.expect(marker + r"=(\d+)=\r*\n", timeout=timeout)
        status = int(self.child.match[1])
        seen = self.child.before
        self.prompt()
        return self._without_echo(seen, line, marker), status

    @staticmethod
    def _without_echo(seen, line, marker):
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen).replace("\r", "").replace(PROMPT, "")
        lines = text.split("\n")
        typed = line.split("\n")
        kept = []
        for one in lines:
            if typed and one.strip() == typed[0].strip():
                typed.pop(0)
            elif marker not in one:
                kept.append(one)
        return "\n".join(kept).strip("\n")

    def check(self, line, expected=None, status=0, timeout=COMMAND_SECONDS):
        """Runs a line and compares output (exact, without the last newline) and exit status."""
        got, code = self.run(line, timeout)
        assert code == status, f"{line!r} ended with {code}, not {status}; it said:\n{got}"
        if expected is not None:
            assert got == expected, f"{line!r} said:\n{got}\nexpected:\n{expected}"
        return got
