# SPDX-License-Identifier: MIT
"""A signed repository of Alpine packages (format 2), made on the host.

A package is three gzip streams, one behind the other: the signature, the control part (.PKGINFO and scripts),
the data. A signature and a control part are tar archives without an end; the signature is of the next stream.
"""
import base64
import gzip
import hashlib
import io
import pathlib
import subprocess
import tarfile

ARCH = "x86_64"
KEY = "test.rsa.pub"
TIME = 1700000000  # of all files, seconds


class File:
    def __init__(self, data=b"", mode=0o644, uid=0, gid=0, link=None):
        """link: what a symbolic link points to."""
        self.data, self.mode, self.uid, self.gid, self.link = data, mode, uid, gid, link


def _tar_without_end(entries):
    """entries: (name, bytes, mode)."""
    out = io.BytesIO()
    tar = tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT)
    for name, data, mode in entries:
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = len(data), mode, TIME
        tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _data_tar(files):
    out = io.BytesIO()
    folders = {str(p) for name in files for p in list(pathlib.PurePosixPath(name).parents)[:-1]}
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(folders | set(files)):
            info = tarfile.TarInfo(name)
            info.mtime = TIME
            if name in folders:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(info)
                continue
            f = files[name]
            info.mode, info.uid, info.gid = f.mode, f.uid, f.gid
            content = f.data
            if f.link is None:
                info.size = len(f.data)
            else:
                info.type, info.linkname, content = tarfile.SYMTYPE, f.link, f.link.encode()
            info.pax_headers = {"APK-TOOLS.checksum.SHA1": hashlib.sha1(content).hexdigest()}
            tar.addfile(info, io.BytesIO(f.data))
    return out.getvalue()


def _gzip(data):
    return gzip.compress(data, 1, mtime=0)


class Repository:
    """folder/x86_64 holds packages and index; folder/KEY is what belongs into /etc/apk/keys, and
    folder/NAME.sums what `sha1sum -c` takes for the package of that name."""

    def __init__(self, folder):
        self.folder, self.private = folder, folder.parent / "test.rsa"
        (folder / ARCH).mkdir(parents=True)
        subprocess.run(["openssl", "genrsa", "-out", self.private, "2048"], check=True, capture_output=True)
        subprocess.run(["openssl", "rsa", "-in", self.private, "-pubout", "-out", folder / KEY], check=True,
                       capture_output=True)
        self.index = []

    def _signature(self, stream):
        done = subprocess.run(["openssl", "dgst", "-sha1", "-sign", self.private], input=stream, check=True,
                              capture_output=True)
        return _gzip(_tar_without_end([(f".SIGN.RSA.{KEY}", done.stdout, 0o644)]))

    def add(self, name, version, files, scripts=(), depends=(), replaces=(), triggers=()):
        """files: File by path; scripts: text by name ("post-install")."""
        size = sum(len(f.data) for f in files.values())
        data = _gzip(_data_tar(files))
        lines = [f"pkgname = {name}", f"pkgver = {version}", f"pkgdesc = test of {name}",
                 "url = http://localhost/", f"arch = {ARCH}", "license = MIT", f"size = {size}",
                 *(f"depend = {d}" for d in depends), *(f"replaces = {r}" for r in replaces)]
        if triggers:
            lines.append("triggers = " + " ".join(triggers))
        lines.append(f"datahash = {hashlib.sha256(data).hexdigest()}")
        control = _gzip(_tar_without_end([
            (".PKGINFO", ("\n".join(lines) + "\n").encode(), 0o644),
            *((f".{n}", f"#!/bin/sh\n{text}\n".encode(), 0o755) for n, text in dict(scripts).items())]))
        package = self._signature(control) + control + data
        (self.folder / ARCH / f"{name}-{version}.apk").write_bytes(package)
        (self.folder / f"{name}.sums").write_text("".join(
            f"{hashlib.sha1(f.data).hexdigest()}  /{n}\n" for n, f in files.items() if f.link is None))
        checksum = base64.b64encode(hashlib.sha1(control).digest()).decode()
        entry = [f"C:Q1{checksum}", f"P:{name}", f"V:{version}", f"A:{ARCH}", f"S:{len(package)}", f"I:{size}",
                 f"T:test of {name}", "U:http://localhost/", "L:MIT"]
        if depends:
            entry.append("D:" + " ".join(depends))
        self.index.append("\n".join(entry) + "\n")

    def write_index(self, more=0):
        """more: so many further entries, of packages that aren't there."""
        checksums = [base64.b64encode(hashlib.sha1(b"%d" % i).digest()).decode() for i in range(more)]
        others = [f"C:Q1{checksums[i]}\nP:other{i}\nV:1-r0\nA:{ARCH}\nS:1000\nI:1000\nT:other\nU:http://localhost/\n"
                  f"L:MIT\nD:other{i // 2}\n" for i in range(more)]
        text = "\n".join(self.index + others) + "\n"
        stream = _gzip(_tar_without_end([("DESCRIPTION", b"test\n", 0o644), ("APKINDEX", text.encode(), 0o644)]) +
                       bytes(1024))
        (self.folder / ARCH / "APKINDEX.tar.gz").write_bytes(self._signature(stream) + stream)
