# SPDX-License-Identifier: MIT
"""ROOT, whatever it is, as an initramfs archive.

Every ROOT comes down to a Root: a function that adds its entries to a CpioWriter and a key under
which the archive is cached (None: made anew each time, for folders).
"""
import contextlib
import functools
import os
import pathlib
import shutil
import stat
import subprocess
import tempfile
import urllib.request

from . import cpio
from .util import (BUILD, TOP, ToolError, cache_folder, cached, digest, file_sha256, free_bytes,
                   locked, remove, run, say, step)

ALPINE_URL = ("https://dl-cdn.alpinelinux.org/alpine/v3.20/releases/x86_64/"
              "alpine-minirootfs-3.20.3-x86_64.tar.gz")
ALPINE_SHA256 = "d4e6fd67dcf75e40c451560ac7265166c2b72a0f38ddc9aae756a7de3d1efa0c"
DOWNLOAD_SECONDS = 10

DEBIAN_PACKAGES = "apt,bash,ca-certificates,curl,iproute2,procps,python3"
DEBIAN_NEEDS = 1 << 30  # bytes of disk while it is built

HOST_CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
GUEST_CA_BUNDLE = b"etc/ssl/certs/ca-certificates.crt"

ROOT_DISK = "/dev/vda"
KEEP_ARCHIVES = 12  # prepared archives in the cache; the least recently used go first


class Root:
    def __init__(self, name, key, fill, trust_host=False, image=None):
        self.name = name
        self.key = key
        self.fill = fill
        self.trust_host = trust_host
        self.image = image  # path of a file system image that it already is


# ---- finding ROOT ----------------------------------------------------------------------------

class AlpineUnavailable(ToolError):
    pass


def _download_alpine(part):
    say(f"fetching {ALPINE_URL}")
    try:
        run(["curl", "-fsSL", "--max-time", str(DOWNLOAD_SECONDS), "-o", str(part), ALPINE_URL],
            "download") if shutil.which("curl") else _fetch(ALPINE_URL, part)
    except (ToolError, OSError) as e:
        why = str(e).strip().splitlines()[-1]
        raise AlpineUnavailable(f"Alpine's root file system cannot be downloaded ({why}); "
                                "ALPINE_TARBALL may name a local copy") from e
    got = file_sha256(part)
    if got != ALPINE_SHA256:
        raise AlpineUnavailable(f"what was downloaded from {ALPINE_URL} has sha256 {got}, "
                                f"not {ALPINE_SHA256}")


def _fetch(url, part):
    with urllib.request.urlopen(url, timeout=DOWNLOAD_SECONDS) as r, open(part, "wb") as f:
        shutil.copyfileobj(r, f)


def alpine_tarball():
    named = os.environ.get("ALPINE_TARBALL")
    if named:
        if not os.path.isfile(named):
            raise AlpineUnavailable(f"ALPINE_TARBALL names {named}, which is not a file")
        return named
    return cached(cache_folder() / os.path.basename(ALPINE_URL), _download_alpine)


def _apt_sources():
    """The machine's own apt sources, in one text: one-line entries or deb822 paragraphs."""
    lines, paragraphs = [], []
    folder = pathlib.Path("/etc/apt/sources.list.d")
    for f in [pathlib.Path("/etc/apt/sources.list"), *sorted(folder.glob("*.list"))]:
        if f.is_file():
            lines.append(f.read_text())
    for f in sorted(folder.glob("*.sources")):
        paragraphs.append(f.read_text())
    sources = ["\n".join(t) for t in (lines, paragraphs) if any(
        line.strip() and not line.startswith("#") for text in t for line in text.splitlines())]
    if not sources:
        raise ToolError("this machine's apt has no sources; a Debian root is built from them")
    return sources


def _suite():
    with contextlib.suppress(OSError), open("/etc/os-release", encoding="utf-8") as f:
        for line in f:
            if line.startswith("VERSION_CODENAME="):
                return line.split("=", 1)[1].strip().strip('"')
    return "stable"


def _apt_options():
    """What apt needs to reach its mirrors from here: proxies and the CA bundle."""
    out = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False).stdout
    wanted = ("Acquire::http::", "Acquire::https::", "Acquire::Retries")
    return [f"--aptopt={line}" for line in out.splitlines()
            if line.startswith(wanted) and "::Proxy-Auto-Detect" not in line]


def _build_debian(packages, part):
    if free_bytes(part.parent) < DEBIAN_NEEDS:
        raise ToolError(f"building a Debian root needs {DEBIAN_NEEDS >> 20} MiB free in "
                        f"{part.parent}")
    suite = _suite()
    with step(f"building a Debian root ({suite}) with mmdebstrap; this takes a minute, once"), \
            tempfile.TemporaryDirectory(prefix="aramid-") as tmp:
        files = []
        for i, text in enumerate(_apt_sources()):
            files.append(os.path.join(tmp, f"sources{i}"))
            with open(files[-1], "w", encoding="utf-8") as f:
                f.write(text)
        made = os.path.join(tmp, "root.tar")
        run(["mmdebstrap", "--variant=minbase", f"--include={packages}",
             "--dpkgopt=path-exclude=/usr/share/man/*",
             "--dpkgopt=path-exclude=/usr/share/doc/*",
             "--dpkgopt=path-exclude=/usr/share/locale/*", *_apt_options(), suite, made, *files],
            "building a Debian root", env={**os.environ, "TMPDIR": tmp})
        shutil.move(made, part)


def debian_tarball(more=""):
    """more: further packages, separated by commas (for tests)."""
    packages = ",".join(filter(None, [DEBIAN_PACKAGES, more]))
    key = digest(packages, _suite(), *_apt_sources())
    return cached(cache_folder() / f"debian-{key}.tar", functools.partial(_build_debian, packages))


def _fill_busybox(w):
    """Debian's busybox-static with a link for each applet, and the few files a login needs."""
    busybox = shutil.which("busybox") or "/bin/busybox"
    applets = run([busybox, "--list-full"], "busybox").decode().split()
    folders = {"bin", "sbin", "usr", "usr/bin", "usr/sbin", "etc", "root", "home", "tmp", "var",
               "var/log", "var/run", "dev", "proc", "sys", "run", "mnt"}
    for name in [".", *sorted(folders)]:
        mode = 0o1777 if name == "tmp" else 0o700 if name == "root" else 0o755
        w.add(name.encode(), stat.S_IFDIR | mode)
    size = os.stat(busybox).st_size
    with open(busybox, "rb") as f:
        w.add_file(b"bin/busybox", stat.S_IFREG | 0o755, f, size)
    for applet in sorted(set(applets)):
        if applet != "bin/busybox" and os.path.dirname(applet) in folders:
            w.add(applet.encode(), stat.S_IFLNK | 0o777, b"/bin/busybox")
    etc = {
        "passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
        "group": "root:x:0:\ntty:x:5:\nusers:x:100:\nnogroup:x:65534:\n",
        "shadow": "root::19000:0:99999:7:::\nnobody:!:19000:0:99999:7:::\n",
        "shells": "/bin/sh\n",
        "hosts": "127.0.0.1 localhost\n::1 localhost\n",
        "profile": "export PS1='\\u@\\h:\\w\\$ '\numask 022\n",
    }
    for name, text in sorted(etc.items()):
        mode = 0o640 if name == "shadow" else 0o644
        w.add(f"etc/{name}".encode(), stat.S_IFREG | mode, text.encode())


def _tar_root(name, path, trust_host=False):
    st = os.stat(path)
    key = digest("tar", os.path.realpath(path), st.st_size, st.st_mtime_ns)
    return Root(name, key, lambda w: _fill_tar(w, path), trust_host)


DECOMPRESSORS = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz",
                 b"\x28\xb5\x2f\xfd": "zstd"}


def _magic(path):
    with open(path, "rb") as f:
        return f.read(8)


def _fill_tar(w, path):
    magic = _magic(path)
    tool = next((t for m, t in DECOMPRESSORS.items() if magic.startswith(m)), None)
    try:
        if tool is None:
            cpio.add_tar(w, path)
            return
        with tempfile.NamedTemporaryFile(prefix="aramid-", suffix=".tar") as plain:
            with open(path, "rb") as f:
                done = subprocess.run([tool, "-dc"], stdin=f, stdout=plain,
                                      stderr=subprocess.PIPE, check=False)
            if done.returncode != 0:
                raise ToolError(f"{path}: {done.stderr.decode(errors='replace').strip()}")
            cpio.add_tar(w, plain.name)
    except (cpio.tarfile.TarError, ValueError, EOFError) as e:
        raise ToolError(f"{path}: not a usable tar archive: {e}") from e


def _fill_image(w, path):
    """An ext2/3/4 image, read with debugfs: folders, files and links, with their owners when this
    runs as root (or under fakeroot); device nodes are left out, the guest has a devtmpfs."""
    with tempfile.TemporaryDirectory(prefix="aramid-") as tmp:
        out = run(["debugfs", "-R", f'rdump / "{tmp}"', path], f"reading {path}")
        bad = [line for line in out.decode(errors="replace").splitlines()
               if "Corrupt" in line or "Bad magic" in line or "Filesystem not open" in line]
        if bad:
            raise ToolError(f"{path}: {bad[0]}")
        remove(os.path.join(tmp, "lost+found"))
        cpio.add_folder(w, tmp, keep_owners=os.geteuid() == 0)


def _is_ext_image(path):
    with open(path, "rb") as f:
        f.seek(1024 + 56)
        return f.read(2) == b"\x53\xef"


def find(name):
    """The Root for the command line's ROOT. `default` is alpine where it can be had, else debian."""
    if name == "default":
        try:
            return find("alpine")
        except AlpineUnavailable as e:
            say(f"{e}")
            say("taking a Debian root instead")
            return find("debian")
    if name == "alpine":
        return _tar_root("alpine", alpine_tarball())
    if name == "debian":
        return _tar_root("debian", debian_tarball(), trust_host=True)
    if name == "busybox":
        busybox = shutil.which("busybox")
        if not busybox:
            raise ToolError("busybox is not installed (tools/setup installs busybox-static)")
        st = os.stat(busybox)
        key = digest("busybox", st.st_size, st.st_mtime_ns, file_sha256(__file__))
        return Root("busybox", key, _fill_busybox)
    if os.path.isdir(name):
        return Root(name, None, lambda w: cpio.add_folder(w, name, os.geteuid() == 0))
    if not os.path.exists(name):
        raise ToolError(f"ROOT {name}: no such file (known names: alpine, debian, busybox)")
    try:
        if _is_ext_image(name):
            st = os.stat(name)
            key = digest("image", os.path.realpath(name), st.st_size, st.st_mtime_ns)
            return Root(name, key, lambda w: _fill_image(w, name), image=name)
        return _tar_root(name, name)
    except OSError as e:
        raise ToolError(f"ROOT {name}: {e.strerror}") from e


# ---- the archive -----------------------------------------------------------------------------

def guest_init():
    """The guest's init, built when it is not there or older than its source."""
    binary = BUILD / "guest" / "init"
    sources = list((TOP / "tools" / "guest").glob("*.[ch]"))
    newest = max(s.stat().st_mtime for s in sources)
    BUILD.mkdir(exist_ok=True)
    with locked(BUILD / ".guest-init"):
        if not binary.exists() or binary.stat().st_mtime < newest:
            run(["make", "-s", "-C", str(TOP), "guest-init"], "building the guest's init")
    return binary.read_bytes()


def _host_bundle():
    try:
        with open(HOST_CA_BUNDLE, "rb") as f:
            return f.read()
    except OSError as e:
        raise ToolError(f"--trust-host: {HOST_CA_BUNDLE}: {e.strerror}") from e


def _merge_bundles(ours, theirs):
    """The guest's bundle with the host's certificates that it lacks behind it."""
    end = b"-----END CERTIFICATE-----"
    have = {c.split(b"-----BEGIN CERTIFICATE-----")[-1].strip() for c in ours.split(end)}
    more = [c.split(b"-----BEGIN CERTIFICATE-----")[-1].strip() for c in theirs.split(end)]
    if ours and not ours.endswith(b"\n"):
        ours += b"\n"
    return ours + b"".join(b"-----BEGIN CERTIFICATE-----\n" + c + b"\n" + end + b"\n"
                           for c in more if c and c not in have)


class _BundleWriter(cpio.CpioWriter):
    """Adds the host's certificates to the root's bundle as it passes by."""

    def __init__(self, out, host_bundle):
        super().__init__(out)
        self.host_bundle = host_bundle
        self.seen = set()

    def header(self, path, *args, **meta):
        self.seen.add(path)
        super().header(path, *args, **meta)

    def add_file(self, path, mode, source, size, **meta):
        if path != GUEST_CA_BUNDLE:
            return super().add_file(path, mode, source, size, **meta)
        meta.update(nlink=1, ino=self.new_ino())
        return self.add(path, mode, _merge_bundles(source.read(size), self.host_bundle), **meta)

    def close(self):
        if GUEST_CA_BUNDLE not in self.seen:
            for folder in (b"etc", b"etc/ssl", b"etc/ssl/certs"):
                if folder not in self.seen:
                    self.add(folder, stat.S_IFDIR | 0o755)
            self.add(GUEST_CA_BUNDLE, stat.S_IFREG | 0o644, self.host_bundle)
        super().close()


def _write_root(out, root, bundle):
    w = _BundleWriter(out, bundle) if bundle is not None else cpio.CpioWriter(out)
    root.fill(w)
    w.close()


def _write_own_part(out, init, modules=(), disk=None):
    """What the guest's init needs, as an archive of its own: its entries replace the root's. With a
    disk, that one becomes the root."""
    w = cpio.CpioWriter(out)
    w.add(b"dev", stat.S_IFDIR | 0o755)
    w.add(b"dev/console", stat.S_IFCHR | 0o600, rdev=(5, 1))
    w.add(b".aramid", stat.S_IFDIR | 0o700)
    w.add(b".aramid/init", stat.S_IFREG | 0o755, init)
    if disk:
        w.add(b".aramid/root", stat.S_IFLNK | 0o777, os.fsencode(disk))
    for i, path in enumerate(modules):
        with open(path, "rb") as f:
            w.add(f".aramid/{i:02}.ko".encode(), stat.S_IFREG | 0o600, f.read())
    w.close()


def _write_archive(path, root, init, bundle, modules):
    with open(path, "wb") as out:
        _write_root(out, root, bundle)
        _write_own_part(out, init, modules)


def _bundle_for(root, trust_host):
    return _host_bundle() if trust_host or root.trust_host else None


def bundle_key(root, trust_host):
    return _bundle_for(root, trust_host) or b""


@contextlib.contextmanager
def archive(root, trust_host):
    """A temporary cpio archive of ROOT alone."""
    with tempfile.NamedTemporaryFile(prefix="aramid-", suffix=".cpio") as f:
        try:
            _write_root(f, root, _bundle_for(root, trust_host))
            f.flush()
        except (OSError, ValueError) as e:
            raise ToolError(f"ROOT {root.name}: {e}") from e
        yield f.name


@contextlib.contextmanager
def start_archive(kernel):
    """The initramfs that only brings a disk's root up: init, and for Linux its drivers."""
    with tempfile.NamedTemporaryFile(prefix="aramid-", suffix=".cpio") as f:
        _write_own_part(f, guest_init(), kernel.modules(), ROOT_DISK)
        f.flush()
        yield f.name


def _trim(folder):
    archives = sorted(folder.glob("initramfs-*.cpio"), key=lambda p: p.stat().st_atime)
    for old in archives[:-KEEP_ARCHIVES]:
        remove(old)
        remove(f"{old}.lock")


@contextlib.contextmanager
def initramfs(root, trust_host, kernel):
    """The path of an archive of ROOT with the guest's init in it."""
    init = guest_init()
    bundle = _bundle_for(root, trust_host)
    modules = kernel.modules()
    if root.key is None:
        with tempfile.NamedTemporaryFile(prefix="aramid-", suffix=".cpio") as f:
            try:
                _write_archive(f.name, root, init, bundle, modules)
            except (OSError, ValueError) as e:
                raise ToolError(f"ROOT {root.name}: {e}") from e
            yield f.name
        return
    sources = [file_sha256(cpio.__file__), file_sha256(__file__)]
    key = digest(root.key, init, bundle or b"", *map(str, modules), *sources)
    folder = cache_folder()
    path = folder / f"initramfs-{key}.cpio"
    made = not path.exists()
    cached(path, lambda part: _write_archive(part, root, init, bundle, modules))
    if made:
        _trim(folder)
    with contextlib.suppress(OSError):
        os.utime(path)
    yield str(path)
