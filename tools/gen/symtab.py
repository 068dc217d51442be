#!/usr/bin/python3
"""Make the kernel's symbol table: `nm -n` output on stdin, assembly on stdout.

Empty input gives an empty table, for the first of the two links. The reader is
arch/x86_64/symtab.c. Only functions are kept; of several names for one address, the first
global one.
"""

import re
import sys

STEP = 16  # names between two marks, as in symtab.c
SKIP = re.compile(r"\.L|__\w+_(start|end)$")  # labels and the linker script's marks


def read_symbols(lines):
    """(address, name) of functions in address order, one per address, and the code's bounds."""
    best = {}
    bounds = {}
    for line in lines:
        parts = line.split()
        if len(parts) != 3:
            continue
        address, kind, name = int(parts[0], 16), parts[1], parts[2]
        if name in ("__image_start", "__text_start", "__text_end"):
            bounds[name] = address
        if kind not in "tTwW" or SKIP.match(name):
            continue
        if address not in best or (kind == "T" and best[address][0] == "t"):
            best[address] = (kind, name)
    start, end = bounds.get("__text_start", 0), bounds.get("__text_end", 0)
    symbols = [(a, n) for a, (_, n) in sorted(best.items()) if start <= a < end]
    return symbols, bounds.get("__image_start", 0), end


def main():
    symbols, base, end = read_symbols(sys.stdin)
    out = ['\t.section .symtab_data, "a"', "\t.balign 4"]

    def label(name):
        out.append(f"\t.globl x86_symtab_{name}\nx86_symtab_{name}:")

    label("count")
    out.append(f"\t.long {len(symbols)}")
    label("offsets")
    for address, _ in symbols:
        out.append(f"\t.long {address - base:#x}")
    out.append(f"\t.long {end - base:#x}")
    label("marks")
    at = 0
    names = []
    for i, (_, name) in enumerate(symbols):
        if i % STEP == 0:
            out.append(f"\t.long {at}")
        names.append(f'\t.asciz "{name}"')
        at += len(name) + 1
    label("names")
    out.extend(names)
    out.append('\t.byte 0\n\t.section .note.GNU-stack, "", @progbits')
    print("\n".join(out))


if __name__ == "__main__":
    main()
