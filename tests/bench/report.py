# SPDX-License-Identifier: MIT
"""The benchmark page and its chart, from what run.py measured."""
import math

RATE = "MiB/s"

HEAD = """# Benchmarks

Aramid beside Debian's Linux {linux} in the same emulated machine. Written by `make bench` on {date}
for commit {commit}; {qemu}, accelerator {accel}, CPU model {model}, on {cpu} ({cpus} CPUs).

One static program (`tests/bench`), the same file under both kernels, from an initramfs, with one
CPU and address randomisation off.

- **instructions**: QEMU counts guest instructions (`-icount shift=0`), and nothing else makes
  virtual time pass, so a row is exact and repeatable. It does not see what TLB flushes and context
  switches cost, and string instructions count once. Rates are MiB for each 1e9 instructions.
- **wall time**: {boots} boots of each kernel, interleaved; the best sample is shown, in nanoseconds
  (rates: MiB/s). Emulated times move by 15 to 80 percent between boots: nothing under 1.5 means
  anything unless the instructions confirm it.

A ratio above 1 says how many times Aramid is ahead; below 1 it is behind. `-` was not measured: the
operation is not there yet, for a reason given below.

![Ratios, instructions](benchmarks.svg)
"""

MACHINE = """The whole machine, wall time and memory: `boot_to_init` is the best time from QEMU's start to the
first instruction of process 1. The kernel itself uses what is neither free nor the contents of
files (the root is in memory) nor of programs; the image of the kernel counts."""


def ratio(aramid, linux, unit):
    if not aramid or not linux:
        return None
    return aramid / linux if unit == RATE else linux / aramid


def number(value):
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def times(value):
    return "-" if value is None else f"{value:.2f}"


def geometric_mean(values):
    values = [v for v in values if v]
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def _value(table, kernel, row):
    value = table.get(kernel, {}).get(row)
    return None if isinstance(value, str) else value


def write(order, units, counted, timed, facts, about):
    """Returns (markdown, svg)."""
    lines = [HEAD.format(**about)]
    ratios, wall_ratios, missing = [], [], []
    lines += ["| row | Linux, instructions | Aramid | ratio | Linux, wall | Aramid | ratio |",
              "|---|--:|--:|--:|--:|--:|--:|"]
    for row in order:
        unit = units.get(row, "ns")
        ci, cl = _value(counted, "aramid", row), _value(counted, "linux", row)
        wi, wl = (timed.get(k, {}).get(row, (None, None))[1] for k in ("aramid", "linux"))
        r, w = ratio(ci, cl, unit), ratio(wi, wl, unit)
        ratios.append((row, r))
        wall_ratios.append(w)
        why = counted.get("aramid", {}).get(row)
        if isinstance(why, str):
            missing.append((row, why))
        shown = f"{row} ({RATE})" if unit == RATE else row
        lines.append(f"| {shown} | {number(cl)} | {number(ci)} | {times(r)} | {number(wl)} | "
                     f"{number(wi)} | {times(w)} |")
    lines.append(f"| **geometric mean** | | | **{times(geometric_mean([r for _, r in ratios]))}** |"
                 f" | | **{times(geometric_mean(wall_ratios))}** |")
    if facts:
        lines += ["", MACHINE, "", "| the machine | Linux | Aramid | ratio |", "|---|--:|--:|--:|"]
        for what, unit, values in facts:
            a, b = values.get("aramid"), values.get("linux")
            lines.append(f"| {what} ({unit}) | {number(b)} | {number(a)} | "
                         f"{times(ratio(a, b, unit))} |")
    if missing:
        lines += ["", "Not measured on Aramid:", ""]
        lines += [f"- {row}: {why}" for row, why in missing]
    return "\n".join(lines) + "\n", chart([(n, r) for n, r in ratios if r])


ROW_HEIGHT, LEFT, WIDTH, TOP = 18, 210, 720, 44
AHEAD, BEHIND = "#2a7f62", "#b5482f"


def chart(ratios):
    """Horizontal bars on a logarithmic scale around 1."""
    biggest = max([2.0] + [max(r, 1 / r) for _, r in ratios])
    half = (WIDTH - LEFT - 60) / 2
    middle = LEFT + half
    height = TOP + ROW_HEIGHT * len(ratios) + 16
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
           f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
           f'<text x="{middle:.0f}" y="18" text-anchor="middle" font-size="14">Linux\'s '
           'instructions for each of Aramid\'s (right of the line: Aramid is ahead)</text>']
    step = 2.0
    while step <= biggest:
        for at in (step, 1 / step):
            x = middle + half * math.log(at) / math.log(biggest)
            label = f"{step:g}" if at > 1 else f"1/{step:g}"
            out.append(f'<line x1="{x:.1f}" y1="{TOP - 6}" x2="{x:.1f}" y2="{height - 8}" '
                       'stroke="#ddd"/>')
            out.append(f'<text x="{x:.1f}" y="{TOP - 10}" text-anchor="middle" fill="#777">'
                       f'{label}</text>')
        step *= 2
    for i, (name, r) in enumerate(ratios):
        y = TOP + i * ROW_HEIGHT
        x = middle + half * math.log(r) / math.log(biggest)
        left, width = min(x, middle), abs(x - middle)
        out.append(f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{name}</text>')
        out.append(f'<rect x="{left:.1f}" y="{y + 3}" width="{width:.1f}" '
                   f'height="{ROW_HEIGHT - 6}" fill="{AHEAD if r >= 1 else BEHIND}"/>')
        out.append(f'<text x="{max(x, middle) + 4:.1f}" y="{y + 13}" fill="#333">{r:.2f}</text>')
    out.append(f'<line x1="{middle:.1f}" y1="{TOP - 6}" x2="{middle:.1f}" y2="{height - 8}" '
               'stroke="#333"/></svg>')
    return "\n".join(out) + "\n"
