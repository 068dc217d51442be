# SPDX-License-Identifier: MIT
"""A bad line between two guests: frames go as datagrams between their QEMUs (-netdev dgram) and
this, which loses, delays, reorders, repeats and spoils some of them. The same seed and frames give
the same faults."""
import heapq
import random
import select
import socket
import threading
import time


class BadLine:
    """loss, dup, spoil, reorder: parts of one; delay and late (of what is reordered): seconds."""

    def __init__(self, loss=0.0, dup=0.0, spoil=0.0, reorder=0.0, delay=0.0, late=0.02, seed=1):
        self.loss, self.dup, self.spoil, self.reorder = loss, dup, spoil, reorder
        self.delay, self.late = delay, late
        self.random = random.Random(seed)
        self.ends = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        self.guests = []
        for end in self.ends:
            end.bind(("127.0.0.1", 0))
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
                free.bind(("127.0.0.1", 0))
                self.guests.append(free.getsockname())
        self.waiting = []
        self.passed = self.lost = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def options(self, nr):
        """What tools/aramid is told, for guest 0 or 1."""
        host, port = self.guests[nr]
        to_host, to_port = self.ends[nr].getsockname()
        return ["--net", "none", "--qemu=-netdev",
                f"--qemu=dgram,id=line,local.type=inet,local.host={host},local.port={port},"
                f"remote.type=inet,remote.host={to_host},remote.port={to_port}",
                "--qemu=-device",
                f"--qemu=virtio-net-pci,romfile=,netdev=line,mac=52:54:00:00:01:0{nr}"]

    def close(self):
        self.ended.set()
        self.thread.join()
        for end in self.ends:
            end.close()

    def _chance(self, part):
        return self.random.random() < part

    def _take(self, frame, to, now):
        if self._chance(self.loss):
            self.lost += 1
            return
        if self._chance(self.spoil) and len(frame) > 14:
            spoiled = bytearray(frame)
            spoiled[self.random.randrange(14, len(frame))] ^= 1 << self.random.randrange(8)
            frame = bytes(spoiled)
        for _ in range(2 if self._chance(self.dup) else 1):
            due = now + self.delay
            if self._chance(self.reorder):
                due += self.random.random() * self.late
            self.passed += 1
            heapq.heappush(self.waiting, (due, self.passed, to, frame))

    def _work(self):
        while not self.ended.is_set():
            left = self.waiting[0][0] - time.monotonic() if self.waiting else 0.1
            ready, _, _ = select.select(self.ends, [], [], min(max(left, 0), 0.1))
            now = time.monotonic()
            for end in ready:
                self._take(end.recv(1 << 16), 1 - self.ends.index(end), now)
            while self.waiting and self.waiting[0][0] <= now:
                _, _, to, frame = heapq.heappop(self.waiting)
                self.ends[to].sendto(frame, self.guests[to])
