# SPDX-License-Identifier: MIT
"""GDB commands for a running or stopped Aramid kernel.

    tools/aramid run --gdb alpine            (QEMU waits on localhost:1234)
    gdb build/aramid.debug -x tools/gdb/aramid.py -ex 'target remote :1234'

Commands: aramid-threads, aramid-stack, aramid-regions, aramid-mounts, aramid-log, aramid-locks,
aramid-percpu. `help COMMAND` says what each takes. They read memory only and need no running
kernel code, so they work after a panic too.
"""

import gdb

STACK_SIZE = 16 << 10
STATES = [(1, "sleeping"), (2, "interruptible"), (4, "killable"), (8, "stopped"), (16, "dead")]


def lookup(name):
    """A global or static variable, or None."""
    try:
        return gdb.parse_and_eval(name)
    except gdb.error:
        return None


def container(pointer, type_name, member):
    """The structure of type_name whose field `member` (dots allowed) is at pointer."""
    kind = gdb.lookup_type(type_name)
    offset = int(gdb.parse_and_eval(f"(unsigned long)&(({type_name} *)0)->{member}"))
    return gdb.Value(int(pointer) - offset).cast(kind.pointer()).dereference()


def list_items(head, type_name, member):
    """Members of a struct list_head list."""
    start = int(head.address)
    node = head["next"]
    seen = 0
    while int(node) != start and seen < 100000:
        yield container(node, type_name, member)
        node = node.dereference()["next"]
        seen += 1


def tree_items(node, type_name, member):
    """Members of a red-black tree, in order."""
    if int(node) == 0:
        return
    yield from tree_items(node["left"], type_name, member)
    yield container(node, type_name, member)
    yield from tree_items(node["right"], type_name, member)


def text(array):
    return array.string(errors="replace")


def symbol(address):
    """name+offset of a code address."""
    block = gdb.execute(f"info symbol {int(address):#x}", to_string=True)
    return block.split(" in section")[0].strip() if "No symbol" not in block else hex(int(address))


def nr_cpus():
    return int(gdb.parse_and_eval("g_nr_cpus"))


def per_cpu(name, cpu):
    """CPU's copy of a per-CPU variable."""
    variable = gdb.parse_and_eval(name)
    base = int(gdb.parse_and_eval(f"x86_percpu_bases[{cpu}]"))
    address = (int(variable.address) + base) & 0xFFFFFFFFFFFFFFFF
    return gdb.Value(address).cast(variable.type.pointer()).dereference()


def threads():
    head = lookup("g_threads")
    if head is None:
        raise gdb.GdbError("no list of threads in this kernel")
    return list_items(head, "struct thread", "all_link")


def find_thread(argument):
    """A thread by expression (pointer), name or thread number; without argument CPU 0's."""
    if not argument:
        return per_cpu("g_current_thread", 0).dereference()
    for t in threads():
        if argument in (text(t["name"]), str(thread_number(t))):
            return t
    try:
        return gdb.parse_and_eval(f"*(struct thread *)({argument})")
    except gdb.error as e:
        raise gdb.GdbError(f"no thread {argument}: {e}") from e


def thread_number(t):
    """The task's number, or None for kernel threads."""
    if int(t["mm"]) == 0:
        return None
    try:
        task = t.address.cast(gdb.lookup_type("struct task").pointer())
        return int(task["pid"]["nr"])
    except gdb.error:
        return None


def state_name(t):
    state = int(t["state"])
    if state == 0:
        return "running" if bool(t["on_cpu"]) else "runnable"
    return "|".join(name for bit, name in STATES if state & bit)


class Threads(gdb.Command):
    """aramid-threads: every thread with its state and CPU; aramid-stack shows where it waits."""

    def __init__(self):
        super().__init__("aramid-threads", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        print(f"{'thread':18} {'tid':>6} {'cpu':>3} {'state':14} name")
        for t in threads():
            tid = thread_number(t)
            print(f"{int(t.address):#18x} {tid if tid is not None else '-':>6} {int(t['cpu']):>3} "
                  f"{state_name(t):14} {text(t['name'])}")


class Stack(gdb.Command):
    """aramid-stack [THREAD]: kernel backtrace of a thread that is not running.
THREAD is a name, a thread number or a pointer."""

    def __init__(self):
        super().__init__("aramid-stack", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        t = find_thread(argument.strip())
        if bool(t["on_cpu"]):
            print("it runs on a CPU: use `thread N` and `bt`")
            return
        word = gdb.lookup_type("unsigned long").pointer()
        # What x86_switch_stack left: r15 r14 r13 r12 rbx rbp, return address.
        sp = gdb.Value(int(t["arch"]["sp"])).cast(word)
        print(symbol(sp[6]))
        frame, top = int(sp[5]), int(t["arch"]["stack_top"])
        while top - STACK_SIZE <= frame < top - 16:
            words = gdb.Value(frame).cast(word)
            if int(words[1]) == 0:
                break
            print(symbol(words[1]))
            if int(words[0]) <= frame:
                break
            frame = int(words[0])


class Regions(gdb.Command):
    """aramid-regions [THREAD]: the address space of a thread, as /proc/PID/maps shows it."""

    def __init__(self):
        super().__init__("aramid-regions", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        t = find_thread(argument.strip())
        if int(t["mm"]) == 0:
            print("a kernel thread: no address space")
            return
        mm = t["mm"].cast(gdb.lookup_type("struct mm").pointer())
        for r in tree_items(mm["regions"]["node"], "struct region", "node"):
            flags = int(r["flags"])
            shown = "".join(c if flags & bit else "-" for bit, c in ((1, "r"), (2, "w"), (4, "x")))
            shown += "s" if flags & 0x80 else "p"
            backing = "anonymous" if int(r["object"]) == 0 else f"object {int(r['object']):#x}"
            if int(r["ops"]):
                backing = symbol(r["ops"])
            print(f"{int(r['start']):016x}-{int(r['end']):016x} {shown} "
                  f"{int(r['pgoff']) << 12:08x} flags {flags:#x} {backing}")


def dentry_path(dentry, root):
    names = []
    while int(dentry) != int(root) and int(dentry["parent"]) != int(dentry) and len(names) < 64:
        names.append(dentry["name"]["name"].string(errors="replace"))
        dentry = dentry["parent"]
    return "/" + "/".join(reversed(names))


def mount_path(m):
    where = ""
    while int(m["parent"]) and int(m["mountpoint"]):
        where = dentry_path(m["mountpoint"], m["parent"]["root"]).rstrip("/") + where
        m = m["parent"].dereference()
    return where or "/"


class Mounts(gdb.Command):
    """aramid-mounts: the mounts of the first mount namespace."""

    def __init__(self):
        super().__init__("aramid-mounts", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        for m in list_items(gdb.parse_and_eval("g_init_mount_ns")["mounts"], "struct mount",
                            "ns_link"):
            where = mount_path(m)
            source = text(m["source"]) if int(m["source"]) else "none"
            print(f"{int(m['id']):>4} {source} on {where} flags {int(m['flags']):#x} "
                  f"users {int(m['refs']['n'])} writers {int(m['writers'])}")


class Log(gdb.Command):
    """aramid-log [COUNT]: the last records of the kernel's log (default: all there are)."""

    def __init__(self):
        super().__init__("aramid-log", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        slots, index = lookup("g_slots"), lookup("g_index")
        nr_index = index.type.range()[1] + 1
        next_seq = int(gdb.parse_and_eval("'kernel/core/log.c'::g_head")) >> 32
        wanted = int(argument) if argument.strip() else nr_index
        header_size = gdb.lookup_type("struct record_header").sizeof
        for seq in range(max(1, next_seq - min(wanted, nr_index)), next_seq):
            entry = int(index[seq % nr_index])
            if entry >> 32 != seq:
                continue
            record = slots[entry & 0xFFFFFFFF]
            header = record["header"]
            if int(header["stamp"]) != seq | 1 << 32:
                continue
            at, length = int(record.address) + header_size, int(header["len"])
            data = gdb.selected_inferior().read_memory(at, length).tobytes() if length else b""
            ns = int(header["time_ns"])
            print(f"<{int(header['prio']) & 7}>[{ns // 10**9:5}.{ns % 10**9 // 1000:06}] "
                  f"{data.decode(errors='replace')}")


class Locks(gdb.Command):
    """aramid-locks: spinlocks that each CPU holds and ranks of sleeping locks that each thread
holds, from a DEBUG kernel; then how often locks of each rank were taken and contended."""

    def __init__(self):
        super().__init__("aramid-locks", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        held = lookup("g_held")
        if held is None or "nr" not in (f.name for f in held.type.fields()):
            print("only kernels built with DEBUG=1 keep account of their locks")
            return
        for cpu in range(nr_cpus()):
            held = per_cpu("g_held", cpu)
            for i in range(int(held["nr"])):
                lock = held["lock"][i].dereference()
                name = lock["name"].string() if int(lock["name"]) else "?"
                print(f"CPU {cpu} holds {name} at {int(lock.address):#x}")
        rank = gdb.lookup_type("enum lock_rank")
        for t in threads():
            for i in range(int(t["locks_held"])):
                print(f"{text(t['name'])} holds a {t['lock_ranks'][i].cast(rank)}")
        stats = gdb.parse_and_eval("'kernel/core/lock.c'::g_stats")
        for i in range(stats.type.range()[1] + 1):
            if int(stats[i]["taken"]):
                print(f"{str(gdb.Value(i).cast(rank)):20} taken {int(stats[i]['taken']):>10} "
                      f"contended {int(stats[i]['contended']):>8}")


class PerCpu(gdb.Command):
    """aramid-percpu NAME [CPU]: a per-CPU variable on one CPU or on all."""

    def __init__(self):
        super().__init__("aramid-percpu", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        words = argument.split()
        if not words:
            raise gdb.GdbError("which variable?")
        for cpu in [int(words[1])] if len(words) > 1 else range(nr_cpus()):
            print(f"CPU {cpu}: {per_cpu(words[0], cpu)}")


Threads()
Stack()
Regions()
Mounts()
Log()
Locks()
PerCpu()
