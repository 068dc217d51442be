#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes compile_commands.json from what make wrote: for each group of sources a line with the
compiler and its flags, and a line with the sources. Usage: compdb.py INPUT OUTPUT"""
import json
import os
import sys


def main(source, target):
    with open(source, encoding="utf-8") as f:
        lines = f.read().split("\n")
    entries = [{"directory": os.getcwd(), "file": name, "command": f"{command} -c {name}"}
               for command, names in zip(lines[::2], lines[1::2]) for name in names.split()]
    with open(target, "w", encoding="utf-8") as f:
        json.dump(entries, f, indent=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
