#!/usr/bin/python3
"""Generate the system call prototypes, dispatch table, trace descriptions and docs/syscalls.md
from kernel/syscall/table.def.

usage: syscalls.py OUTPUT_FOLDER            writes syscalls.h and syscall_table.inc there
       syscalls.py --docs docs/syscalls.md  writes the list of what is there and what is missing
"""
import os
import re
import sys

TABLE = "kernel/syscall/table.def"
UNISTD = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"
UP = " __user *"
# kind: C type of the parameter. The trace decoder has one printer for each (trace.c). outX are known
# after the call only.
KINDS = {
    "fd": "int", "dirfd": "int", "int": "int", "uint": "unsigned int", "long": "long",
    "ulong": "unsigned long", "size": "size_t", "off": "off64_t", "addr": "unsigned long",
    "path": "const char" + UP, "str": "const char" + UP, "ptr": "void" + UP,
    "cptr": "const void" + UP, "outbuf": "void" + UP, "inbuf": "const void" + UP,
    "intp": "int" + UP, "uintp": "u32" + UP, "sigset": "sigset_t" + UP,
    "csigset": "const sigset_t" + UP, "strv": "const char __user *const" + UP,
    "open_flags": "int", "mode": "kmode_t", "whence": "int", "prot": "int", "mmap_flags": "int",
    "sig": "int", "sig_how": "int", "ioctl": "unsigned int", "access": "int",
    "mremap_flags": "unsigned long", "madvice": "int", "clone_flags": "unsigned long",
    "pid": "int", "wait_options": "int", "fcntl": "unsigned int", "uid": "kuid_t", "gid": "kgid_t",
    "rlimit": "int", "prctl": "int", "mount_flags": "unsigned long", "dev": "unsigned int",
    "futex_op": "int", "clockid": "int", "epoll_op": "int", "at_flags": "int",
    "arch_prctl": "int", "fadvice": "int", "family": "int", "socket_type": "int",
    "random_flags": "unsigned int", "umount_flags": "int", "msg_flags": "int",
    "insa": "const void" + UP, "outsa": "void" + UP, "outlen": "int" + UP,
    "outstatus": "int" + UP, "outfds": "int" + UP, "outuint": "u32" + UP,
    "sockopt_level": "int", "sockopt": "int", "optval": "const void" + UP,
    "outoptval": "void" + UP, "ioctl_arg": "unsigned long", "fdset": "void" + UP, "offp": "void" + UP,
    "itimer": "int", "rusage_who": "int", "fd_flags": "int", "epoll_flags": "int", "eventfd_flags": "int",
    "timerfd_flags": "int", "signalfd_flags": "int", "inotify_flags": "int", "accept_flags": "int",
    "cpuset": "const void" + UP, "outcpuset": "void" + UP, "caphdr": "void" + UP,
    "capdata": "const void" + UP, "outcapdata": "void" + UP, "dirents": "void" + UP,
}
# Kinds of members of structures (trace_struct.c).
MEMBERS = ["poll_events", "epoll_data", "epoll_events", "sa_flags", "sa_handler", "st_mode", "rlim", "chars", "sigset_value",
           "nested"]
# PREFIX:NAME: a structure or a typedef of one; const or not; out: printed after the call.
STRUCTS = {"s": ("struct ", "", True), "cs": ("struct ", "const ", False), "is": ("struct ", "", False),
           "ocs": ("struct ", "const ", True), "t": ("", "", True), "ct": ("", "const ", False),
           "it": ("", "", False)}


def ctype(kind, sub):
    if kind in STRUCTS:
        word, const, _ = STRUCTS[kind]
        return const + word + sub + UP
    return KINDS[kind]


def kind_enum(kind, sub=None):
    if kind in STRUCTS:
        return f"ARG_S_{sub}" + (" | ARG_OUT" if STRUCTS[kind][2] else "")
    return "ARG_" + kind.upper()


def parse():
    calls = []
    for n, line in enumerate(open(TABLE), 1):
        line = line.split("#")[0].split()
        if not line:
            continue
        nr, name, area, args = int(line[0]), line[1], line[2], []
        for a in line[3:]:
            parts = a.split(":")
            kind, sub, arg = parts[0], parts[1] if len(parts) == 3 else None, parts[-1]
            if sub is None and kind not in KINDS:
                sys.exit(f"{TABLE}:{n}: unknown kind {kind}")
            args.append((kind, sub, arg))
        calls.append((nr, name, area, args))
    names = dict(re.findall(r"#define __NR_(\w+) (\d+)", open(UNISTD).read()))
    seen = set()
    for nr, name, _, args in calls:
        if names.get(name) != str(nr):
            sys.exit(f"{TABLE}: {name} is {names.get(name)}, not {nr}")
        if nr in seen or len(args) > 6:
            sys.exit(f"{TABLE}: {nr} {name}: listed twice or too many arguments")
        seen.add(nr)
    return calls, {int(v): k for k, v in names.items()}


def write_if_changed(path, text):
    if not os.path.exists(path) or open(path).read() != text:
        with open(path, "w") as f:
            f.write(text)


def generate(out):
    calls, _ = parse()
    structs = sorted({s for _, _, _, args in calls for k, s, _ in args if STRUCTS.get(k, [""])[0]})
    h = ["/* Generated from kernel/syscall/table.def. */", "#ifndef GEN_SYSCALLS_H", "#define GEN_SYSCALLS_H", ""]
    h += ["#include <asm/signal.h>", "#include <asm/siginfo.h>", ""]
    h += [f"struct {s};" for s in structs] + [""]
    t = ["/* Generated from kernel/syscall/table.def. Wrappers narrow registers to typed arguments. */"]
    rows = []
    for nr, name, _, args in calls:
        params = ", ".join(f"{ctype(k, s)} {a}" for k, s, a in args) or "void"
        params = params.replace("* ", "*")
        h.append(f"long sys_{name}({params});")
        actual = ", ".join(f"({ctype(k, s)})regs_arg(regs, {i})" for i, (k, s, _) in enumerate(args))
        t.append(f"static long call_{name}(const struct pt_regs *regs)\n{{\n\treturn sys_{name}({actual});\n}}")
        kinds = ", ".join(kind_enum(k, s) for k, s, _ in args)
        rows.append(f'\t[{nr}] = {{ "{name}", call_{name}, {len(args)}, {{ {kinds} }} }},')
    h += ["", "#endif", ""]
    t += ["", "#define SYSCALL_TABLE \\"] + [r + " \\" for r in rows] + ["", ""]
    subs = {s for _, _, _, args in calls for _, s, _ in args if s}
    kinds = sorted(kind_enum(k) for k in list(KINDS) + MEMBERS) + ["ARG_S_NONE"] + sorted("ARG_S_" + s for s in subs)
    e = "enum syscall_arg_kind { ARG_NONE, " + ", ".join(kinds) + ", ARG_END, ARG_OUT = 0x80 };\n"
    if len(kinds) > 126:
        sys.exit(f"{TABLE}: more kinds than fit beside ARG_OUT")
    write_if_changed(os.path.join(out, "syscalls.h"), "\n".join(h))
    write_if_changed(os.path.join(out, "syscall_kinds.h"), "/* Generated. */\n#ifndef GEN_SYSCALL_KINDS_H\n#define GEN_SYSCALL_KINDS_H\n" + e + f"#define SYSCALL_NR_MAX {max(c[0] for c in calls)}\n#endif\n")
    write_if_changed(os.path.join(out, "syscall_table.inc"), "\n".join(t))


def docs(path):
    calls, names = parse()
    have = {c[0] for c in calls}
    out = ["# System calls", "", "Generated from `kernel/syscall/table.def` by `tools/gen/syscalls.py --docs`. Numbers are x86_64's.",
           "", f"## There ({len(calls)})", "", "| number | call | contract tests |", "|---|---|---|"]
    for nr, name, area, args in calls:
        out.append(f"| {nr} | `{name}({', '.join(a for _, _, a in args)})` | {area} |")
    missing = [f"{names[n]} ({n})" for n in sorted(names) if n not in have]
    out += ["", f"## Missing ({len(missing)}): they answer ENOSYS", "", ", ".join(missing) + ".", ""]
    write_if_changed(path, "\n".join(out))


if __name__ == "__main__":
    if sys.argv[1] == "--docs":
        docs(sys.argv[2])
    else:
        generate(sys.argv[1])
