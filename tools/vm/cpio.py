# SPDX-License-Identifier: MIT
"""Writes initramfs archives (cpio, newc) from tar archives, folders and generated entries.

Nothing is unpacked and nothing needs root: owners, modes, devices and hard links go from one
format to the other. Entries are sorted, so a folder always comes before what is in it.
"""
import os
import stat
import tarfile

COPY = 1 << 20


class CpioWriter:
    """One archive; add entries, then close. Paths are relative, bytes, without a leading slash."""

    def __init__(self, out):
        self.out = out
        self.ino = 0
        self.pos = 0

    def _write(self, data):
        self.out.write(data)
        self.pos += len(data)

    def _pad(self):
        if self.pos % 4:
            self._write(b"\0" * (4 - self.pos % 4))

    def new_ino(self):
        self.ino += 1
        return self.ino

    def header(self, path, mode, uid=0, gid=0, mtime=0, size=0, nlink=1, ino=None, rdev=(0, 0)):
        if size >= 1 << 32:
            raise ValueError(f"{path!r} has {size} bytes; an initramfs holds files below 4 GiB")
        fields = (self.new_ino() if ino is None else ino, mode, uid, gid, nlink,
                  max(0, int(mtime)) & 0xffffffff, size, 0, 0, rdev[0], rdev[1],
                  len(path) + 1, 0)
        self._write(b"070701" + b"".join(b"%08X" % f for f in fields) + path + b"\0")
        self._pad()

    def add(self, path, mode, data=b"", **meta):
        """Anything whose content is at hand: folders, links (data is the target), devices."""
        self.header(path, mode, size=len(data), **meta)
        if data:
            self._write(data)
            self._pad()

    def add_file(self, path, mode, source, size, **meta):
        """A regular file's content from an open file at its current position."""
        self.header(path, mode, size=size, **meta)
        left = size
        while left:
            block = source.read(min(left, COPY))
            if not block:
                raise EOFError(f"{path!r} ends {left} bytes early")
            self._write(block)
            left -= len(block)
        self._pad()

    def close(self):
        self.add(b"TRAILER!!!", 0, nlink=1, ino=0)
        self._write(b"\0" * (-self.pos % 512))


TAR_TYPES = {
    tarfile.REGTYPE: stat.S_IFREG, tarfile.AREGTYPE: stat.S_IFREG, tarfile.CONTTYPE: stat.S_IFREG,
    tarfile.GNUTYPE_SPARSE: stat.S_IFREG, tarfile.DIRTYPE: stat.S_IFDIR,
    tarfile.SYMTYPE: stat.S_IFLNK, tarfile.CHRTYPE: stat.S_IFCHR, tarfile.BLKTYPE: stat.S_IFBLK,
    tarfile.FIFOTYPE: stat.S_IFIFO,
}


def _clean(name):
    parts = [p for p in os.fsencode(name).split(b"/") if p not in (b"", b".")]
    if b".." in parts:
        raise ValueError(f"the archive holds the path {name!r}")
    return b"/".join(parts)


def add_tar(writer, path):
    """All of a tar archive. Where a name occurs twice the last one counts, as when unpacking."""
    with tarfile.open(path, "r:", errors="surrogateescape") as tar:
        members = {}
        for m in tar:
            members[_clean(m.name)] = m
        links = {}  # the member that carries the data -> all paths
        targets = {}
        for name, m in members.items():
            target = m
            if m.islnk():
                target = members.get(_clean(m.linkname))
                if target is None:
                    raise ValueError(f"{m.name}: hard link to {m.linkname}, which is not there")
            links.setdefault(id(target), []).append(name)
            targets[name] = target
        inodes = {}
        for name in sorted(targets):
            target = targets[name]
            kind = TAR_TYPES.get(target.type)
            if kind is None:
                continue
            first = id(target) not in inodes
            ino = inodes.setdefault(id(target), writer.new_ino() if first else 0)
            meta = {"uid": target.uid, "gid": target.gid, "mtime": target.mtime, "ino": ino,
                    "nlink": len(links[id(target)])}
            mode = kind | (target.mode & 0o7777)
            if kind == stat.S_IFREG and first:
                with tar.extractfile(target) as f:
                    writer.add_file(name, mode, f, target.size, **meta)
            elif kind == stat.S_IFLNK:
                writer.add(name, kind | 0o777, os.fsencode(target.linkname), **meta)
            elif kind in (stat.S_IFCHR, stat.S_IFBLK):
                writer.add(name, mode, rdev=(target.devmajor, target.devminor), **meta)
            else:
                writer.add(name or b".", mode, **meta)  # a folder; without a name: the root


def add_folder(writer, folder, keep_owners):
    """A folder tree; without keep_owners everything belongs to root."""
    folder = os.fsencode(folder)
    found = [b"."]
    for where, dirs, files in os.walk(folder):
        found += [os.path.relpath(os.path.join(where, n), folder) for n in dirs + files]
    inodes = {}
    for name in sorted(found):
        path = os.path.join(folder, name)
        st = os.lstat(path)
        kind = stat.S_IFMT(st.st_mode)
        if kind == stat.S_IFSOCK:
            continue
        key = (st.st_dev, st.st_ino)
        first = kind == stat.S_IFDIR or key not in inodes
        ino = writer.new_ino() if first else inodes[key]
        inodes[key] = ino
        meta = {"mtime": st.st_mtime, "ino": ino,
                "nlink": 1 if kind == stat.S_IFDIR else st.st_nlink}
        if keep_owners:
            meta.update(uid=st.st_uid, gid=st.st_gid)
        if kind == stat.S_IFREG and first:
            with open(path, "rb") as f:
                writer.add_file(name, st.st_mode, f, os.fstat(f.fileno()).st_size, **meta)
        elif kind == stat.S_IFLNK:
            writer.add(name, st.st_mode, os.readlink(path), **meta)
        elif kind in (stat.S_IFCHR, stat.S_IFBLK):
            rdev = (os.major(st.st_rdev), os.minor(st.st_rdev))
            writer.add(name, st.st_mode, rdev=rdev, **meta)
        else:
            writer.add(name, st.st_mode, **meta)
