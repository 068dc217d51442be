# SPDX-License-Identifier: MIT
"""One command in one machine: moves bytes between our standard files and the guest's init.

The frames are described in tools/guest/protocol.h; the names here are the same.
"""
import contextlib
import errno
import fcntl
import os
import re
import select
import signal
import struct
import sys
import termios
import time
import tty

from .util import say

GREETING = b"\n\x1earamid-guest-1\n"
WINDOW = 2048
BAD_WORDS = re.compile(rb"\] ((?:command line: |Malformed early option)[^\r\n]*)")
# Linux reboots after a panic, which ends QEMU with 0: only its log tells. Other writers to the
# console don't begin with the time.
LINUX_PANIC = re.compile(rb"^\[ *[0-9]+\.[0-9]+\] Kernel panic - not syncing", re.MULTILINE)
MODE_TERMINAL, MODE_SHELL, MODE_CTTY = 1, 2, 4

PENDING = 1 << 20        # bytes of guest output that wait for our reader before we stop reading
LOG_KEPT = 4 << 20       # bytes of kernel log kept for the case of a panic
DRAIN_SECONDS = 2        # for who reads our output, after a limit or a signal has ended the machine
POWER_OFF_SECONDS = 120  # from the command's end to the machine's: file systems may have much to write
ESCAPE = b"\x1d"         # Ctrl-], three times in a row: stop the machine


class Ended(Exception):
    """The session is over; status is what the tool exits with, why names what happened."""

    def __init__(self, status, why=None):
        super().__init__(why)
        self.status = status
        self.why = why


class Session:
    def __init__(self, machine, command, env, is_linux, timeout=None, verbose=False):
        self.machine = machine
        self.is_linux = is_linux
        self.command = command
        self.env = env
        self.limit = time.monotonic() + timeout if timeout else None
        self.deadline = self.limit  # the limit, or nearer: until when the machine has to end
        self.timeout = timeout
        self.log_to = 2 if verbose else None  # which of our outputs shows the kernel's log
        self.terminal = os.isatty(0) and os.isatty(1)
        self.received = b""
        self.greeted = False
        self.to_guest = b""      # frames not yet written to the port
        self.outstanding = 0     # bytes sent and not yet credited
        self.stdin_open = True
        self.output = {1: b"", 2: b""}
        self.closed = set()      # our outputs that nobody reads any more
        self.log = b""
        self.log_cut = False
        self.status = None       # the command's, once it is known
        self.escapes = 0

    # ---- frames ----------------------------------------------------------------------------

    def send(self, kind, payload=b""):
        self.to_guest += kind + struct.pack("<I", len(payload)) + payload
        self.flush_to_guest()

    def flush_to_guest(self):
        room = WINDOW - self.outstanding
        if not self.to_guest or room <= 0:
            return
        try:
            n = self.machine.channel.send(self.to_guest[:room])
        except BlockingIOError:
            return
        except OSError:
            return  # QEMU is gone; its end is noticed elsewhere
        self.to_guest = self.to_guest[n:]
        self.outstanding += n

    def start(self):
        mode = MODE_TERMINAL if self.terminal else 0
        if not self.command:
            mode |= MODE_SHELL | (0 if self.terminal else MODE_CTTY)
        rows, columns = self.window_size()
        strings = [f"{k}={v}" for k, v in self.env.items()] + self.command
        payload = struct.pack("<BHHHH", mode, rows, columns, len(self.env), len(self.command))
        self.send(b"S", payload + b"".join(os.fsencode(s) + b"\0" for s in strings))

    def window_size(self):
        if not self.terminal:
            return 0, 0
        with contextlib.suppress(OSError):
            packed = fcntl.ioctl(1, termios.TIOCGWINSZ, b"\0" * 8)
            return struct.unpack("<HHHH", packed)[:2]
        return 24, 80

    def take_frame(self, kind, payload):
        if kind == b"O":
            self.write_out(1, payload)
        elif kind == b"E":
            self.write_out(2, payload)
        elif kind == b"C":
            self.outstanding -= struct.unpack("<I", payload)[0]
            self.flush_to_guest()
        elif kind == b"L":
            say(f"guest: {payload.decode(errors='replace')}")
        elif kind == b"X":
            self.status = struct.unpack("<I", payload)[0]
            limit = time.monotonic() + POWER_OFF_SECONDS
            self.deadline = min(self.deadline or limit, limit)
        else:
            raise Ended(125, f"the guest sent an unknown frame {kind!r}")

    def read_channel(self):
        data = self._receive(self.machine.channel)
        self.received += data
        if not self.greeted:
            at = self.received.find(GREETING)
            if at < 0:
                self.received = self.received[-len(GREETING):]
                return
            self.received = self.received[at + len(GREETING):]
            self.greeted = True
            self.show_bad_words()
            self.start()
        at = 0
        while len(self.received) - at >= 5:
            size = struct.unpack_from("<I", self.received, at + 1)[0]
            if len(self.received) - at < 5 + size:
                break
            self.take_frame(self.received[at:at + 1], self.received[at + 5:at + 5 + size])
            at += 5 + size
        self.received = self.received[at:]

    @staticmethod
    def _receive(sock):
        try:
            return sock.recv(1 << 16)
        except (BlockingIOError, ConnectionResetError):
            return b""

    # ---- our standard files ----------------------------------------------------------------

    def write_out(self, fd, data):
        if fd not in self.closed:
            self.output[fd] += data

    def flush_output(self, fd):
        """One write that cannot block for long: poll said that there is room for PIPE_BUF."""
        try:
            n = os.write(fd, self.output[fd][:select.PIPE_BUF])
            self.output[fd] = self.output[fd][n:]
        except BlockingIOError:
            pass
        except OSError as e:
            if e.errno != errno.EPIPE:
                raise Ended(125, f"cannot write the command's output: {e.strerror}") from e
            self.closed.add(fd)
            self.output[fd] = b""
            if self.status is None:
                self.send(b"P", bytes([fd]))

    def stdin_room(self):
        return WINDOW - self.outstanding - len(self.to_guest) - 5

    def read_stdin(self):
        try:
            data = os.read(0, self.stdin_room())
        except OSError:
            data = b""  # closed, or a terminal that went away
        if self.terminal and data and self.escaped(data):
            raise Ended(125, "stopped from the terminal")
        self.stdin_open = bool(data)
        self.take_stdin(data)

    def take_stdin(self, data):
        self.send(b"I", data)

    def escaped(self, data):
        for i in range(len(data)):
            self.escapes = self.escapes + 1 if data[i:i + 1] == ESCAPE else 0
            if self.escapes == 3:
                return True
        return False

    # ---- the kernel's log ------------------------------------------------------------------

    def read_log(self):
        data = self._receive(self.machine.log)
        self.log += data
        if len(self.log) > LOG_KEPT:
            self.log = self.log[-LOG_KEPT // 2:]
            self.log_cut = True
        if self.log_to:
            self.write_out(self.log_to, data)
        return bool(data)

    def show_log(self, lines=None):
        if self.log_to:
            return
        text = self.log.replace(b"\r\n", b"\n").replace(b"\0", b"")
        if lines:
            text = b"\n".join(text.rstrip(b"\n").split(b"\n")[-lines:]) + b"\n"
        elif self.log_cut:
            text = b"[...]\n" + text
        with contextlib.suppress(OSError):
            os.write(2, text if not text or text.endswith(b"\n") else text + b"\n")

    def show_bad_words(self):
        """What the kernel found wrong on its command line; it says so before init starts."""
        self.read_log()
        if not self.log_to:
            for line in BAD_WORDS.findall(self.log):
                say(f"kernel: {line.decode(errors='replace')}")

    # ---- the loop --------------------------------------------------------------------------

    def _wanted(self, signals):
        wanted = {self.machine.pidfd: select.POLLIN, signals: select.POLLIN,
                  self.machine.log.fileno(): select.POLLIN}
        channel = 0
        if max(map(len, self.output.values())) < PENDING:
            channel = select.POLLIN
        if self.to_guest and self.outstanding < WINDOW:
            channel |= select.POLLOUT
        if channel:
            wanted[self.machine.channel.fileno()] = channel
        if self.greeted and self.stdin_open and self.status is None and self.stdin_room() >= 64:
            wanted[0] = select.POLLIN
        for fd, data in self.output.items():
            if data:
                wanted[fd] = select.POLLOUT
        return wanted

    def _loop(self, signals):
        while True:
            poller = select.poll()
            for fd, events in self._wanted(signals).items():
                poller.register(fd, events)
            left = None
            if self.deadline:
                left = max(0, self.deadline - time.monotonic()) * 1000
            ready = dict(poller.poll(left))
            if signals in ready:
                self.take_signals(os.read(signals, 64))
            if self.machine.log.fileno() in ready:
                self.read_log()
            if self.machine.channel.fileno() in ready:
                self.read_channel()
            self.flush_to_guest()
            if 0 in ready:
                self.read_stdin()
            for fd in (1, 2):
                if fd in ready:
                    self.flush_output(fd)
            if self.machine.pidfd in ready:
                return
            if self.deadline and time.monotonic() >= self.deadline:
                if self.status is not None:
                    raise Ended(124, "the machine did not power off" + self._command_status())
                raise Ended(124, f"time limit of {self.timeout:g} s reached")

    def take_signals(self, numbers):
        for number in numbers:
            if number == signal.SIGWINCH:
                if self.greeted and self.terminal:
                    self.send(b"W", struct.pack("<HH", *self.window_size()))
            else:
                raise Ended(128 + number, f"ended by {signal.Signals(number).name}")

    def _command_status(self):
        """For messages of ends that came after the command's own."""
        return "" if self.status is None else f" after the command had ended with {self.status}"

    def _drain(self, signals, seconds=None):
        """QEMU has ended: what it still had to say, and what our readers have not read yet; those may take
        their time (within the time limit or seconds), until a signal comes."""
        with contextlib.suppress(OSError):
            while self.read_log():
                pass
            before = None
            while before != (before := (len(self.output[1]), len(self.output[2]), self.status)):
                self.read_channel()
        limit = self.limit if seconds is None else time.monotonic() + seconds
        while any(self.output.values()):
            poller = select.poll()
            poller.register(signals, select.POLLIN)
            for fd, data in self.output.items():
                if data:
                    poller.register(fd, select.POLLOUT)
            left = max(0, limit - time.monotonic()) * 1000 if limit else None
            ready = dict(poller.poll(left))
            if signals in ready:
                self.take_signals(os.read(signals, 64))
            for fd in (1, 2):
                if fd in ready:
                    self.flush_output(fd)
            if limit and time.monotonic() >= limit:
                raise Ended(124, "the command's output was not read in time" + self._command_status())

    def _verdict(self):
        status = self.machine.process.wait()
        if status == 97 or (self.is_linux and LINUX_PANIC.search(self.log)):
            self.show_log()
            raise Ended(97, "the kernel panicked" + self._command_status())
        if self.status is not None:
            return self.status
        if status == 0 and not self.command and self.greeted:
            return 0  # powered off from the shell
        self.show_log(lines=20)
        errors = self.machine.error_text()
        if errors:
            raise Ended(125, f"QEMU: {errors}")
        what = "before its init had started" if not self.greeted else \
            "before the command's exit status was known (powered off or rebooted from inside?)"
        raise Ended(125, f"the machine ended {what}; QEMU's exit status is {status}")

    def run(self):
        """Returns the exit status for the tool; raises Ended where there is something to say."""
        with _signals() as signals, _raw_terminal(self.terminal):
            try:
                self._loop(signals)
                self._drain(signals)
                return self._verdict()
            except Ended as e:
                self.machine.kill()
                if e.status != 97:
                    with contextlib.suppress(Ended, OSError):
                        self._drain(signals, DRAIN_SECONDS)
                raise


class Console(Session):
    """The machine runs ROOT's own init: our standard files are its console, where the kernel's log goes too.
    After the end of our input it runs on until it powers off."""

    def __init__(self, machine, is_linux, timeout=None):
        super().__init__(machine, [], {}, is_linux, timeout)
        self.log_to = 1
        self.greeted = True
        self.typed = b""  # not yet taken by the serial port

    def stdin_room(self):
        return WINDOW

    def take_stdin(self, data):
        self.typed += data
        self.flush_to_guest()

    def flush_to_guest(self):
        with contextlib.suppress(OSError):  # full, or QEMU is gone: its end is noticed elsewhere
            while self.typed:
                self.typed = self.typed[self.machine.log.send(self.typed):]

    def read_channel(self):
        self._receive(self.machine.channel)  # the guest's second port: nobody listens

    def _wanted(self, signals):
        wanted = {self.machine.pidfd: select.POLLIN, signals: select.POLLIN}
        log = select.POLLIN if len(self.output[1]) < PENDING else 0
        if self.typed:
            log |= select.POLLOUT
        elif self.stdin_open:
            wanted[0] = select.POLLIN
        if log:
            wanted[self.machine.log.fileno()] = log
        if self.output[1]:
            wanted[1] = select.POLLOUT
        return wanted


@contextlib.contextmanager
def _signals():
    """A descriptor that yields the numbers of the signals that we handle."""
    r, w = os.pipe()
    os.set_blocking(r, False)
    os.set_blocking(w, False)
    handled = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGWINCH)
    saved = {s: signal.signal(s, lambda *_: None) for s in handled}
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    old = signal.set_wakeup_fd(w, warn_on_full_buffer=False)
    try:
        yield r
    finally:
        signal.set_wakeup_fd(old)
        for s, handler in saved.items():
            signal.signal(s, handler)
        os.close(r)
        os.close(w)


@contextlib.contextmanager
def _raw_terminal(wanted):
    if not wanted:
        yield
        return
    saved = termios.tcgetattr(0)
    try:
        tty.setraw(0)
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, saved)
        sys.stdout.flush()
