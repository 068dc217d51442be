#!/bin/bash
# SPDX-License-Identifier: MIT
# Installs Debian packages over the network and works with them. Each line is NAME, the exit status, and what must
# be the same under every kernel; the log of what failed goes to standard error.
export DEBIAN_FRONTEND=noninteractive LC_ALL=C TZ=UTC
mkdir /work && chmod 777 /work && cd /work || exit 9

did() { # NAME COMMAND...
	local name=$1 status
	shift
	"$@" >/tmp/log 2>/tmp/errors </dev/null
	status=$?
	echo "$name $status $(xargs </tmp/log)"
	[[ $status == 0 ]] || tail -n 30 /tmp/log /tmp/errors >&2
}

quiet() { "$@" >/tmp/quiet 2>&1 || { cat /tmp/quiet; return 1; }; }
unchanged() { ! dpkg --verify | grep -v -E ' /usr/share/(doc|man|locale)/'; }
postgres() { (cd / && exec su postgres -c "psql -v ON_ERROR_STOP=1 -At -q") <<<"$1"; }
until_it_answers() { # what the server may still have to be started for
	for ((i = 0; i < 600; i++)); do
		redis-cli ping 2>/dev/null | grep -q PONG && return
		sleep 0.1
	done
	return 1
}

extension() {
	cat >ext.c <<-'.'
		#include <Python.h>
		static PyObject *sum(PyObject *self, PyObject *arg)
		{
			long n = PyLong_AsLong(arg), s = 0;
			for (long i = 0; i <= n; i++)
				s += i;
			return PyLong_FromLong(s);
		}
		static PyMethodDef methods[] = {{"sum", sum, METH_O, ""}, {0}};
		static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "ext", 0, -1, methods};
		PyMODINIT_FUNC PyInit_ext(void) { return PyModule_Create(&module); }
	.
	quiet gcc -O2 -shared -fPIC $(python3-config --includes) -o ext.so ext.c && python3 -c 'import ext; print(ext.sum(100000))'
}

project() {
	local i
	mkdir p
	{
		printf '#include <stdio.h>\n'
		for ((i = 1; i <= 40; i++)); do
			printf 'int f%d(int x)\n{\n\treturn x * %d;\n}\n' $i $i >p/f$i.c
			echo "int f$i(int);"
		done
		printf 'int main(void)\n{\n\tint s = 0;\n'
		for ((i = 1; i <= 40; i++)); do
			echo "s += f$i(2);"
		done
		printf 'printf("%%d\\n", s);\n}\n'
	} >p/main.c
	printf 'prog: $(patsubst %%.c,%%.o,$(wildcard *.c))\n\tgcc -o $@ $^\n' >p/Makefile
	quiet make -C p -j4 && p/prog && quiet make -q -C p
}

cplusplus() {
	cat >x.cc <<-'.'
		#include <iostream>
		#include <thread>
		#include <vector>
		int main()
		{
			std::vector<std::thread> threads;
			int sums[4] = {};
			for (int i = 0; i < 4; i++)
				threads.emplace_back([&sums, i] { for (int k = 0; k < 1000; k++) sums[i] += k * i; });
			for (auto &t : threads)
				t.join();
			try { throw sums[3]; } catch (int n) { std::cout << n << "\n"; }
		}
	.
	quiet g++ -O2 -std=c++17 -pthread -o x x.cc && ./x
}

repository() {
	local i
	export HOME=/root GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
	quiet git init -q -b main g
	for ((i = 1; i <= 30; i++)); do
		echo $i >>g/f
		git -C g add f
		GIT_AUTHOR_DATE="@$((1500000000 + i)) +0000" GIT_COMMITTER_DATE="@$((1500000000 + i)) +0000" \
			quiet git -C g commit -q -m $i || return
	done
	quiet git -C g gc -q && quiet git -C g fsck --strict && quiet git clone -q g clone && git -C clone rev-parse HEAD &&
		git -C clone rev-list --count HEAD
}

did update apt-get -q update >/tmp/line
cut -d' ' -f1,2 /tmp/line
did install quiet apt-get install -y -q --no-install-recommends build-essential git python3-dev sqlite3 redis-server \
	nginx-light postgresql postgresql-contrib ssl-cert
did audit dpkg --audit
did verify unchanged
did extension extension
did project project
did cplusplus cplusplus
did git repository
did sqlite sqlite3 db 'create table t(a, b); with recursive c(x) as (select 1 union all select x + 1 from c where
	x < 5000) insert into t select x, x * x from c; select count(*), sum(b) from t; pragma integrity_check;'
did postgres-start quiet pg_ctlcluster 15 main start
did postgres-load postgres "create table t(id serial primary key, v text, n numeric);
	insert into t(v, n) select md5(i::text), i * 1.5 from generate_series(1, 20000) i; create index on t(v);
	select count(*), sum(n), max(v) from t;"
did postgres-undo postgres "begin; delete from t where id % 2 = 0; savepoint a; update t set n = 0; rollback to a; commit;
	select count(*), sum(n) from t; vacuum full t; analyze t; select id from t where v = md5('777');"
did pgbench-init quiet su - postgres -c "pgbench -i -q -s 1 postgres"
did pgbench quiet su - postgres -c "pgbench -c 4 -j 2 -t 50 postgres"
did pgbench-count postgres "select count(*) from pgbench_history;"
did postgres-crash quiet pg_ctlcluster 15 main stop -m immediate
did postgres-again quiet pg_ctlcluster 15 main start
did postgres-kept postgres "select count(*) from pgbench_history; select count(*), sum(n) from t;"
did postgres-stop quiet pg_ctlcluster 15 main stop
redis=(redis-server --daemonize yes --appendonly yes --appendfsync always --dir /work)
did redis-start quiet "${redis[@]}"
did redis-up until_it_answers
did redis-set redis-cli set a 5
did redis-killed pkill -9 -x redis-server
did redis-again quiet "${redis[@]}"
did redis-up until_it_answers
did redis-kept redis-cli get a
did redis-stop redis-cli shutdown
did apt-remove quiet apt-get purge -y -q redis-server nginx-light
did audit dpkg --audit
did log eval "! dmesg | grep -E 'BUG|hung|corrupt|EXT4-fs error|Out of memory'"
