# SPDX-License-Identifier: MIT
"""Messages, the cache folder, locks and subprocesses, for the other parts of tools/aramid."""
import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = TOP / "build"


class ToolError(Exception):
    """The tool cannot do what was asked: exit status 125 with this message."""


def say(text):
    sys.stderr.write(f"aramid: {text}\n")
    sys.stderr.flush()


def cache_folder():
    named = os.environ.get("ARAMID_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = pathlib.Path(named) if named else pathlib.Path(base) / "aramid"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise ToolError(f"cannot use the cache folder {folder}: {e.strerror} "
                        "(ARAMID_CACHE names another)") from e
    return folder


def free_bytes(path):
    v = os.statvfs(path)
    return v.f_bavail * v.f_frsize


def digest(*parts):
    """A short name for content: cache keys."""
    h = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        h.update(len(data).to_bytes(8, "little") + data)
    return h.hexdigest()[:20]


def file_sha256(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            h.update(block)
    return h.hexdigest()


@contextlib.contextmanager
def locked(path):
    """Only one process makes a cached thing; the others wait for it."""
    with open(f"{path}.lock", "w", encoding="ascii") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def cached(path, make):
    """The file (or folder) at path; make(temporary path) creates it when it is not there yet."""
    path = pathlib.Path(path)
    if path.exists():
        return path
    with locked(path):
        if path.exists():
            return path
        part = path.with_name(f".{path.name}.part")
        remove(part)
        try:
            make(part)
            os.rename(part, path)
        finally:
            remove(part)
    return path


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def run(command, what, **options):
    """Runs a helper program; its output is shown only when it fails."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, **options)
    except FileNotFoundError as e:
        raise ToolError(f"{what}: {command[0]} is not installed (tools/setup installs it)") from e
    if done.returncode != 0:
        tail = done.stdout.decode(errors="replace").strip()[-2000:]
        raise ToolError(f"{what}: {command[0]} failed with status {done.returncode}\n{tail}")
    return done.stdout


@contextlib.contextmanager
def step(text):
    """A step that may take long: one line before, the time after, on a terminal."""
    start = time.monotonic()
    say(f"{text} ...")
    yield
    if sys.stderr.isatty():
        say(f"{text}: done in {time.monotonic() - start:.1f} s")
