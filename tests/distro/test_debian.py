# SPDX-License-Identifier: MIT
"""Debian's bash, coreutils, procps and Python: glibc programs at a terminal."""
import re


def test_bash_arrays_and_process_substitution(debian):
    debian.check("a=(1 2 3); echo ${#a[@]} ${a[@]:1}", "3 2 3")
    debian.check("diff <(seq 3) <(seq 3) && echo same", "same")
    debian.check("mapfile -t l < <(seq 5); echo ${l[4]}", "5")


def test_bash_job_control(debian):
    debian.send_line("sleep 1000")
    debian.settle()
    debian.send("\x1a")
    debian.expect("Stopped")
    debian.prompt()
    assert "Stopped" in debian.check("jobs")
    debian.run("bg; kill %1; wait")
    debian.run("true")
    debian.check("jobs", "")


def test_bash_pipefail_and_coproc(debian):
    debian.check("(set -o pipefail; false | true)", "", 1)
    debian.check("coproc cat; echo hello >&${COPROC[1]}; read -u ${COPROC[0]} x; echo $x; "
                 "kill $COPROC_PID; wait 2>/dev/null; true")
    debian.run("true")


def test_coreutils(debian):
    debian.check("seq 1 1000 | shuf | sort -n | md5sum | cut -c1-8; seq 1 1000 | md5sum | "
                 "cut -c1-8 | uniq -c | wc -l")
    debian.check("printf 'b\\na\\n' | sort | paste -sd,", "a,b")
    debian.check("mkdir -p x/y; touch x/y/z; cp -a x w; ls -R w | tail -n 1; rm -r x w", "z")
    debian.check("stat -c '%F' /dev/null; realpath /bin/sh",
                 "character special file\n/usr/bin/dash")
    debian.check("timeout 0.5 sleep 10", "", 124)
    debian.check("head -c 1M /dev/zero | sha1sum | cut -c1-8", "3b71f43f")
    debian.check("nproc; df --output=fstype /proc | tail -n 1", "2\nproc")


def test_ls_colours_and_long_listing(debian):
    assert re.search(r"crw-rw-rw- 1 root root 1, 3 .* /dev/null", debian.check("ls -l /dev/null"))


def test_python_runs(debian):
    debian.check("python3 -c 'print(sum(range(101)))'", "5050")


def test_python_threads_and_subprocesses(debian):
    debian.check("cat >t.py <<'E'\n"
                 "import threading, subprocess\n"
                 "n = []\n"
                 "t = [threading.Thread(target=n.append, args=(i,)) for i in range(20)]\n"
                 "[x.start() for x in t]\n"
                 "[x.join() for x in t]\n"
                 "print(len(n), subprocess.run(['echo', 'sub'], capture_output=True).stdout)\n"
                 "E")
    debian.check("python3 t.py", "20 b'sub\\n'")


def test_python_files_mmap_and_select(debian):
    debian.check("cat >m.py <<'E'\n"
                 "import mmap, os, select, tempfile\n"
                 "f = tempfile.TemporaryFile(); f.write(b'x' * 10000); f.flush()\n"
                 "m = mmap.mmap(f.fileno(), 0); m[5000:5005] = b'hello'; m.flush()\n"
                 "f.seek(5000); print(f.read(5))\n"
                 "r, w = os.pipe(); e = select.epoll(); e.register(r, select.EPOLLIN)\n"
                 "print(e.poll(0)); os.write(w, b'.'); print(e.poll(1) == [(r, 1)])\n"
                 "E")
    debian.check("python3 m.py", "b'hello'\n[]\nTrue")


def test_python_multiprocessing(debian):
    debian.check("cat >p.py <<'E'\n"
                 "import multiprocessing\n"
                 "def square(x):\n"
                 "    return x * x\n"
                 "\n"
                 "if __name__ == '__main__':\n"
                 "    with multiprocessing.Pool(3) as p:\n"
                 "        print(p.map(square, range(6)))\n"
                 "E")
    debian.check("python3 p.py", "[0, 1, 4, 9, 16, 25]")


def test_procps_reads_proc(debian):
    assert re.search(r"root .* ps aux", debian.check("ps aux"))
    assert re.search(r"Mem:\s+\d+", debian.check("free"))
    assert re.search(r"\d+ total", debian.check("top -b -n 1 | head -n 3"))
    assert "cpu" in debian.check("vmstat")
    debian.check("pgrep -x bash | wc -l", "1")


def test_dpkg_and_apt_read_their_state(debian):
    assert int(debian.check("dpkg -l | grep -c ^ii")) > 50
    debian.check("dpkg-query -W -f '${Status}\\n' bash", "install ok installed")


def test_perl_runs(debian):
    debian.check("perl -e 'print join(\",\", map { $_ * 2 } 1..5), \"\\n\"'", "2,4,6,8,10")


def test_su_to_nobody(debian):
    debian.check("su -s /bin/sh nobody -c 'id -un; cat /etc/shadow'",
                 "nobody\ncat: /etc/shadow: Permission denied", 1)


def test_ipcs_shows_what_ipcmk_makes(debian):
    debian.check("ipcmk -M 5000 -p 0640 | cut -d: -f1; ipcmk -S 3 -p 0600 | cut -d: -f1; "
                 "ipcmk -Q -p 0604 | cut -d: -f1",
                 "Shared memory id\nSemaphore id\nMessage queue id")
    debian.check("ipcs -m | awk '/root/ {print $3, $4, $5, $6}'", "root 640 5000 0")
    debian.check("ipcs -s | awk '/root/ {print $3, $4, $5}'", "root 600 3")
    debian.check("ipcs -q | awk '/root/ {print $3, $4, $5, $6}'", "root 604 0 0")
    debian.check("ipcs -l | grep -E 'segments|arrays|queues sys'",
                 "max queues system wide = 32000\nmax number of segments = 4096\n"
                 "max number of arrays = 32000")
    debian.check("ipcrm --all && ipcs -a | grep -c root", "0", 1)
    debian.check("ipcrm -m 123456", "ipcrm: invalid id (123456)", 1)
