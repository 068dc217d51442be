# SPDX-License-Identifier: MIT
"""Alpine's busybox, used as a person would at a terminal. Every test passes on Linux first:
make test T="--kernels linux,aramid tests/distro"."""
import re

import pexpect
import pytest


# ---- the shell -------------------------------------------------------------------------------

def test_pipeline_carries_bytes(alpine):
    alpine.check("seq 1 2000 | sort -rn | head -n 3 | tr '\\n' ' '; echo", "2000 1999 1998 ")


def test_long_pipeline_ends_when_its_reader_does(alpine):
    alpine.check("yes | cat | cat | head -n 1000 | wc -l", "1000")


def test_exit_status_of_pipeline_is_the_last_ones(alpine):
    alpine.check("false | true", "", 0)
    alpine.check("true | false", "", 1)
    alpine.check("sh -c 'kill -TERM $$'; echo got $?", "Terminated\ngot 143")


def test_here_document(alpine):
    alpine.check("X=5; cat <<E\nvalue $X and $(echo command)\nE", "value 5 and command")
    alpine.check("cat <<'E' | wc -l\n$X\nsecond\nE", "2")


def test_command_substitution_and_arithmetic(alpine):
    alpine.check("echo $(( $(echo 6) * 7 ))", "42")


def test_redirections(alpine):
    alpine.check("{ echo out; echo err >&2; } >o 2>e; cat e o", "err\nout")
    alpine.check("echo more >>o; wc -l <o", "2")
    alpine.check("exec 5<>o; read line <&5; exec 5<&-; echo $line", "out")
    alpine.check("cat nosuchfile", "cat: can't open 'nosuchfile': No such file or directory", 1)


def test_globbing(alpine):
    alpine.check("touch b a c .hidden; echo *; echo [ab]", "a b c\na b")


def test_background_job_and_wait(alpine):
    alpine.check("sh -c 'sleep 0.2; exit 5' >/dev/null & wait $!; echo $?").endswith("5")


def test_trap_runs_on_signal(alpine):
    alpine.check("sh -c 'trap \"echo caught; exit 3\" USR1; kill -USR1 $$; sleep 5'", "caught", 3)


def test_many_processes_one_after_the_other(alpine):
    alpine.check("i=0; while [ $i -lt 100 ]; do /bin/true; i=$((i+1)); done; echo $i", "100")


def test_command_not_found(alpine):
    alpine.check("nosuchcommand", "sh: nosuchcommand: not found", 127)


def test_script_with_interpreter_line(alpine):
    alpine.check("printf '#!/bin/sh\\necho \"$0 $1\"\\n' >s; chmod +x s; ./s arg", "./s arg")


# ---- job control -----------------------------------------------------------------------------

def test_terminal_is_a_terminal_of_the_right_size(alpine):
    alpine.check("tty | cut -d/ -f1-3", "/dev/pts")
    alpine.check("stty size", f"{alpine.rows} {alpine.columns}")


def test_ctrl_c_ends_the_foreground_job_only(alpine):
    alpine.send_line("sleep 1000")
    alpine.settle()
    alpine.send("\x03")
    alpine.prompt()
    alpine.check("echo $?", "130")


def test_ctrl_c_reaches_every_process_of_a_pipeline(alpine):
    alpine.send_line("sleep 1001 | sleep 1001 | cat")
    alpine.settle()
    alpine.send("\x03")
    alpine.prompt()
    alpine.check("pgrep -f 'sleep 100[1]'", "", 1)


def test_ctrl_z_bg_fg(alpine):
    alpine.send_line("sleep 1002")
    alpine.settle()
    alpine.send("\x1a")
    alpine.expect("Stopped")
    alpine.prompt()
    assert "Stopped" in alpine.check("jobs")
    alpine.check("grep State /proc/$(pgrep -f 'sleep 100[2]')/status", "State:\tT (stopped)")
    alpine.check("bg")
    assert "Running" in alpine.check("jobs")
    alpine.send_line("fg")
    alpine.expect("sleep 1002")
    alpine.settle()
    alpine.send("\x03")
    alpine.prompt()
    alpine.check("jobs", "")


def test_background_reader_is_stopped(alpine):
    alpine.run("cat &")
    alpine.settle()
    assert "Stopped" in alpine.check("jobs")
    alpine.run("kill -9 %1; wait")
    alpine.run("true")


def test_ctrl_d_ends_input(alpine):
    alpine.send_line("cat >typed")
    alpine.settle()
    alpine.send_line("one line")
    alpine.send("\x04")
    alpine.prompt()
    alpine.check("cat typed", "one line")


def test_line_editing_keys_of_the_terminal(alpine):
    alpine.send_line("cat >typed")
    alpine.settle()
    alpine.send("wrong\x15right on\x17ed\x7f\x7fgoes\r\x04")
    alpine.prompt()
    alpine.check("cat typed", "right goes")


def test_ctrl_s_and_ctrl_q_hold_and_release_output(alpine):
    alpine.send_line("cat")
    alpine.settle()
    alpine.send("\x13typed\r")
    with pytest.raises(pexpect.TIMEOUT):
        alpine.expect("typed", timeout=2)
    alpine.send("\x11")
    alpine.expect("typed\r\ntyped")
    alpine.send("\x04")
    alpine.prompt()


def test_password_prompt_does_not_echo(alpine):
    alpine.send_line("read -s -p 'word: ' w; echo; echo \"got $w\"")
    alpine.expect("word: ")
    alpine.settle()
    alpine.send("secret\r")
    before = alpine.expect("got secret")
    alpine.prompt()
    assert "secret" not in before


# ---- programs that use the whole screen ------------------------------------------------------

def test_vi_edits_a_file(alpine):
    alpine.check("printf 'first\\nsecond\\nthird\\n' >text")
    alpine.send_line("TERM=vt100 vi text")
    alpine.expect("third")
    alpine.settle()
    alpine.send("ddGoadded line")
    alpine.expect("added line")
    alpine.send("\x1b")
    alpine.settle()
    alpine.send(":wq\r")
    alpine.prompt()
    alpine.check("cat text", "second\nthird\nadded line")


def test_top_shows_processes_and_quits(alpine):
    alpine.send_line("TERM=vt100 top -d 1")
    alpine.expect("Load average")
    alpine.expect("PID")
    alpine.expect("top")
    alpine.send("q")
    alpine.prompt()


def test_top_in_batch_mode(alpine):
    text = alpine.check("top -b -n 1 | head -n 5")
    assert re.search(r"Mem: \d+K used, \d+K free", text), text
    assert re.search(r"CPU:.*idle", text), text


def test_less_pages(alpine):
    alpine.check("seq 1 500 >numbers")
    alpine.send_line("TERM=vt100 less numbers")
    alpine.expect("20")
    alpine.settle()
    alpine.send("G")
    alpine.expect("500")
    alpine.send("q")
    alpine.prompt()


# ---- looking around --------------------------------------------------------------------------

def test_ps_lists_this_shell(alpine):
    text = alpine.check("ps -o pid,ppid,comm | grep -w $$")
    assert re.search(r"\bsh\b", text), text
    alpine.check("ps -o comm | grep -c '^ps$'", "1")


def test_uname(alpine):
    alpine.check("uname -s; uname -m", "Linux\nx86_64")


def test_nproc_counts_the_cpus(alpine):
    alpine.check("nproc; grep -c ^processor /proc/cpuinfo", "2\n2")


def test_free_and_uptime(alpine):
    assert re.search(r"Mem:\s+\d+\s+\d+", alpine.check("free"))
    assert "load average" in alpine.check("uptime")


def test_mount_lists_what_init_mounted(alpine):
    text = alpine.check("mount")
    for line in ("proc on /proc type proc", "devtmpfs on /dev type devtmpfs",
                 "sysfs on /sys type sysfs", "devpts on /dev/pts type devpts",
                 "tmpfs on /dev/shm type tmpfs"):
        assert line in text, text


def test_df_shows_a_tmpfs(alpine):
    assert "/dev/shm" in alpine.check("df /dev/shm")


def test_dmesg_shows_the_kernels_log(alpine):
    assert int(alpine.check("dmesg | grep -c 'Command line: '")) == 1


def test_date_is_after_this_was_written(alpine):
    assert int(alpine.check("date +%s")) > 1700000000


def test_id_and_whoami(alpine):
    alpine.check("whoami; id -u; id -gn", "root\n0\nroot")


def test_kill_lists_and_sends_signals(alpine):
    alpine.check("sh -c 'sleep 60 & kill -9 $!; wait $!; echo $?' 2>/dev/null", "137")
    alpine.check("kill -0 1", "")
    alpine.check("kill -0 99999 2>/dev/null", "", 1)


# ---- files -----------------------------------------------------------------------------------

def test_find_by_name_type_and_size(alpine):
    alpine.check("mkdir -p a/b/c; echo x >a/b/one.txt; head -c 5000 /dev/zero >a/big; "
                 "ln -s one.txt a/b/link")
    alpine.check("find a -name '*.txt'", "a/b/one.txt")
    alpine.check("find a -type d | sort | tr '\\n' ' '; echo", "a a/b a/b/c ")
    alpine.check("find a -type f -size +4", "a/big")
    alpine.check("find a -type l -exec readlink {} \\;", "one.txt")
    alpine.check("find a -depth -delete; ls", "")


def test_sed_and_awk(alpine):
    alpine.check("printf 'a 1\\nb 2\\nc 3\\n' >t; sed -i 's/b/B/; /^c/d' t; cat t", "a 1\nB 2")
    alpine.check("awk '{ s += $2 } END { print s, NR }' t", "3 2")
    alpine.check("awk -F: '$3 == 0 { print $1 }' /etc/passwd", "root")


def test_grep_recursive(alpine):
    alpine.check("mkdir d; echo needle >d/x; echo hay >d/y; grep -rl needle d", "d/x")


def test_tar_and_gzip_round_trip(alpine):
    alpine.check("mkdir -p src/deep; seq 1 5000 >src/deep/n; ln -s deep/n src/s; "
                 "ln src/deep/n src/h; chmod 4751 src/h")
    alpine.check("tar czf t.tgz src && tar tzf t.tgz | wc -l", "5")
    alpine.check("mkdir out && tar xzf t.tgz -C out && cmp src/deep/n out/src/deep/n && "
                 "readlink out/src/s && stat -c '%a %h' out/src/h", "deep/n\n4751 2")


def test_gzip_is_lossless(alpine):
    alpine.check("head -c 300000 /dev/urandom >r; s=$(sha256sum <r); gzip r; "
                 "test \"$s\" = \"$(zcat r.gz | sha256sum)\"", "")


def test_dd_block_by_block(alpine):
    alpine.check("dd if=/dev/zero of=z bs=4k count=25 2>/dev/null; stat -c %s z", "102400")
    alpine.check("printf XY | dd of=z bs=1 seek=10 conv=notrunc 2>/dev/null; "
                 "dd if=z bs=1 skip=10 count=2 2>/dev/null; echo", "XY")
    alpine.check("dd if=/dev/zero of=sparse bs=1 count=0 seek=1M 2>/dev/null; "
                 "stat -c '%s %b' sparse", "1048576 0")


def test_links_renames_and_removal(alpine):
    alpine.check("echo a >f; ln f g; stat -c %h f; mv g h; rm f; cat h", "2\na")
    alpine.check("ln -s h l; mv l m; readlink m; rm h; cat m 2>/dev/null", "h", 1)
    alpine.check("mkdir x; mkdir x/y; rmdir x 2>/dev/null", "", 1)
    alpine.check("rm -r x && ls -d x 2>/dev/null", "", 1)


def test_permissions_and_umask(alpine):
    alpine.check("umask 077; touch p; umask 022; touch q; stat -c %a p q", "600\n644")
    alpine.check("chmod u+s,g-r q; stat -c %A q", "-rwS---r--")


def test_fifo_joins_two_processes(alpine):
    alpine.check("mkfifo f; (seq 1 100 >f &) ; wc -l <f", "100")


def test_large_file_copy(alpine):
    alpine.check("head -c 20000000 /dev/zero | tr '\\0' 'x' >big; cp big copy; cmp big copy && "
                 "wc -c <copy; rm big copy", "20000000")


def test_directory_with_many_entries(alpine):
    alpine.check("mkdir d; cd d; seq 1 2000 | xargs touch; ls | wc -l; ls | sort -n | tail -n 1; "
                 "cd ..; rm -r d; ls", "2000\n2000", timeout=120)


def test_truncated_and_grown_file_reads_zeros(alpine):
    alpine.check("echo abcdef >f; truncate -s 3 f; truncate -s 6 f; od -An -tx1 f | tr -d ' '",
                 "616263000000")


def test_proc_self_files(alpine):
    alpine.check("cat /proc/self/comm", "cat")
    alpine.check("cat /proc/self/cmdline | tr '\\0' ' '; echo", "cat /proc/self/cmdline ")
    alpine.check("readlink /proc/self/exe", "/bin/busybox")
    alpine.check("ls /proc/self/fd | wc -l", "4")
    assert "[stack]" in alpine.check("cat /proc/self/maps")


def test_devices_do_what_they_say(alpine):
    alpine.check("echo gone >/dev/null; head -c 4 /dev/zero | od -An -tx1 | tr -d ' '",
                 "00000000")
    alpine.check("sh -c 'echo x >/dev/full' 2>/dev/null", "", 1)
    alpine.check("head -c 100 /dev/urandom | wc -c", "100")


# ---- users -----------------------------------------------------------------------------------

def test_su_to_another_user_and_back(alpine):
    alpine.run("adduser -D ann; mkdir -m 700 private; echo s >private/f")
    alpine.check("su ann -c 'id -un; cat private/f'",
                 "ann\ncat: can't open 'private/f': Permission denied", 1)
    alpine.check("su ann -c 'touch /etc/x'",
                 "touch: /etc/x: Permission denied", 1)
    alpine.check("su ann -c 'kill -9 1'", "sh: can't kill pid 1: Operation not permitted", 1)
    alpine.check("id -un", "root")


def test_login_as_another_user(alpine):
    alpine.run("adduser -D bob; echo bob:word | chpasswd 2>/dev/null")
    alpine.send_line("login")
    alpine.expect("login: ")
    alpine.send_line("bob")
    alpine.expect("Password: ")
    alpine.settle()
    alpine.send_line("word")
    alpine.expect(r"\$ ")
    alpine.send_line("echo \"$USER $(id -u) $PWD\"")
    alpine.expect(r"bob 100\d /home/bob")
    alpine.send_line("exit")
    alpine.prompt()


def test_wrong_password_is_refused(alpine):
    alpine.run("adduser -D carl; echo carl:word | chpasswd 2>/dev/null")
    alpine.send_line("login carl")
    alpine.expect("Password: ")
    alpine.settle()
    alpine.send_line("wrong")
    alpine.expect("Login incorrect")
    alpine.expect("login: ")
    alpine.send("\x04")
    alpine.prompt()


def test_sticky_tmp_protects_others_files(alpine):
    alpine.run("adduser -D dora; adduser -D emil; su dora -c 'touch /tmp/doras'")
    out, status = alpine.run("su emil -c 'rm -f /tmp/doras'")
    assert status == 1 and "not permitted" in out, out
    alpine.check("rm /tmp/doras")


# ---- the package manager ---------------------------------------------------------------------

def test_apk_knows_the_installed_packages(alpine):
    alpine.check("apk info 2>/dev/null | wc -l", "14")


def test_dynamic_loader_finds_libraries(alpine):
    assert "libc.musl" in alpine.check("ldd /bin/busybox")
