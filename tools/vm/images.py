# SPDX-License-Identifier: MIT
"""Disk images: ext2/3/4 file systems made from a ROOT without mounting anything or being root."""
import contextlib
import json
import os
import shlex
import shutil
import tempfile

from . import roots
from .util import ToolError, cache_folder, cached, digest, file_sha256, remove, run

SLACK = 2 << 30  # bytes of free room in a new image; unwritten parts of the file take no space
KEEP_IMAGES = 8

MKE2FS = ["-q", "-F", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=0:0"]


def make(archive, image, size, fs="ext4", extra=()):
    """A file system of `size` bytes in the new file `image` with the cpio archive's content.

    Unpacked in a folder of its own; without root's rights under fakeroot, which remembers owners
    and device nodes for mke2fs."""
    with tempfile.TemporaryDirectory(prefix="aramid-") as tmp:
        folder = os.path.join(tmp, "root")
        os.mkdir(folder, 0o755)
        command = ["mke2fs", *MKE2FS, "-t", fs, *extra, "-d", folder, str(image), f"{size >> 10}k"]
        script = (f"cd {shlex.quote(folder)} && "
                  f"cpio -idmu --quiet --no-absolute-filenames < {shlex.quote(str(archive))} && "
                  f"{shlex.join(command)}")
        wrapper = [] if os.geteuid() == 0 else ["fakeroot", "--"]
        run([*wrapper, "sh", "-c", script], "making a disk image",
            env={**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"})


def from_root(root, trust_host, image, size=None, fs="ext4", extra=()):
    with roots.archive(root, trust_host) as archive:
        make(archive, image, size or os.path.getsize(archive) * 2 + SLACK, fs, extra)


def _trim(folder):
    images = sorted(folder.glob("root-*.img"), key=lambda p: p.stat().st_atime)
    for old in images[:-KEEP_IMAGES]:
        remove(old)
        remove(f"{old}.lock")


@contextlib.contextmanager
def image_of(root, trust_host):
    """The path of an image of ROOT, not to be written to."""
    if root.image:
        yield root.image
        return
    if root.key is None:
        with tempfile.NamedTemporaryFile(prefix="aramid-", suffix=".img") as f:
            from_root(root, trust_host, f.name)
            yield f.name
        return
    folder = cache_folder()
    key = digest(root.key, roots.bundle_key(root, trust_host), file_sha256(__file__),
                 file_sha256(roots.__file__), file_sha256(roots.cpio.__file__))
    path = folder / f"root-{key}.img"
    made = not path.exists()
    cached(path, lambda part: from_root(root, trust_host, part))
    if made:
        _trim(folder)
    with contextlib.suppress(OSError):
        os.utime(path)
    yield str(path)


def keep(root, trust_host, path):
    """The image that --keep names: as it is, or made from ROOT when it isn't there yet."""
    if os.path.exists(path):
        return
    with image_of(root, trust_host) as image:
        part = f"{path}.part"
        try:
            run(["cp", "--sparse=always", "--reflink=auto", image, part], f"--keep {path}")
            os.chmod(part, 0o644)
            os.rename(part, path)
        finally:
            remove(part)


def disk_format(path):
    """raw, qcow2, ... as qemu-img sees it."""
    if not os.path.exists(path):
        raise ToolError(f"{path}: no such file")
    if not shutil.which("qemu-img"):
        return "raw"
    out = run(["qemu-img", "info", "-U", "--output=json", path], f"looking at {path}")
    return json.loads(out)["format"]
