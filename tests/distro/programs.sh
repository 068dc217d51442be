#!/bin/bash
# SPDX-License-Identifier: MIT
# programs.sh PART: real programs at work in /data. Each line is NAME, the exit status, and what must be the same
# under every kernel.
export HOME=/root TMPDIR=/data LC_ALL=C
cd /data || exit 9

# said NAME STATUS DETAILS...; the log of what failed goes to standard error
said() {
	echo "$@"
	if [[ $2 != 0 ]]; then
		tail -n 40 /tmp/log >&2
	fi
}

fio_job() { # NAME OPTION...
	local name=$1
	shift
	mkdir /data/fio
	fio --name=f --directory=/data/fio --verify_fatal=1 --verify_dump=0 "$@" >/tmp/log 2>&1
	said "fio-$name" $? "$(find /data/fio -type f -printf '%s\n' | sort -n | uniq -c | xargs)"
	rm -rf /data/fio
}

part_fio() {
	local check=(--verify=crc32c --do_verify=1) engine rw
	for engine in sync psync vsync pvsync libaio posixaio; do
		for rw in write randwrite randrw; do
			fio_job "$engine-$rw" "${check[@]}" --ioengine=$engine --rw=$rw --bs=4k --size=4M --iodepth=8
			fio_job "$engine-$rw-direct" "${check[@]}" --ioengine=$engine --rw=$rw --bs=4k --size=4M --iodepth=8 \
				--direct=1
		done
	done
	for rw in write randwrite randrw; do
		fio_job "mmap-$rw" "${check[@]}" --ioengine=mmap --rw=$rw --bs=4k --size=4M
	done
	fio_job odd-sizes "${check[@]}" --ioengine=psync --rw=randwrite --bsrange=512-64k --bs_unaligned=1 --size=8M
	fio_job odd-sizes-direct "${check[@]}" --ioengine=psync --rw=randwrite --bsrange=512-64k --blockalign=512 --size=8M \
		--direct=1
	fio_job libaio-jobs "${check[@]}" --ioengine=libaio --rw=randwrite --bs=16k --size=4M --iodepth=16 --numjobs=3 \
		--direct=1
	fio_job jobs-fsync "${check[@]}" --ioengine=psync --rw=randrw --bs=4k --size=2M --numjobs=4 --fsync=16
	fio_job fallocate-keep "${check[@]}" --ioengine=psync --rw=randwrite --bs=4k --size=4M --fallocate=keep
	fio_job fallocate-none-direct "${check[@]}" --ioengine=psync --rw=randwrite --bs=4k --size=4M --fallocate=none \
		--direct=1
	fio_job many-files "${check[@]}" --ioengine=psync --rw=randwrite --bs=4k --size=4M --nrfiles=20 --create_on_open=1
	fio_job sync-range "${check[@]}" --ioengine=psync --rw=write --bs=4k --size=4M \
		--sync_file_range=wait_before,write,wait_after:8
	fio_job o-sync "${check[@]}" --ioengine=psync --rw=randwrite --bs=4k --size=1M --sync=1
	fio_job fdatasync "${check[@]}" --ioengine=psync --rw=randwrite --bs=4k --size=2M --fdatasync=4
	fio_job pvsync2 "${check[@]}" --ioengine=pvsync2 --rw=randwrite --bs=4k --size=2M --direct=1
	fio_job splice --ioengine=splice --rw=write --bs=64k --size=4M
	fio_job ftruncate --ioengine=ftruncate --rw=write --bs=4k --size=1M --fallocate=none
	fio_job falloc --ioengine=falloc --rw=randwrite --bs=4k --size=2M
	fio_job filecreate --ioengine=filecreate --nrfiles=300 --filesize=4k --openfiles=1 --fallocate=none
}

part_files() {
	local sync
	dbench -t 15 -D /data 4 >/tmp/log 2>&1
	said dbench $? "$(grep -c 'ERROR' /tmp/log)"
	dbench -S -F -t 10 -D /data 2 >/tmp/log 2>&1
	said dbench-sync $? "$(grep -c 'ERROR' /tmp/log)"
	rm -rf clients
	for sync in 0 1 2 3 4 5 6; do
		mkdir marks
		fs_mark -d marks -n 200 -s 5000 -S $sync -t 2 -D 8 -k >/tmp/log 2>&1
		said "fs_mark-$sync" $? "$(find marks -type f -printf '%s\n' | sort | uniq -c | xargs)"
		rm -rf marks
	done
	bonnie++ -d /data -s 96M -r 48M -n 1:20000:10:4 -u root -q -m machine >/tmp/log 2>&1
	said bonnie++ $? "$(find . -name 'Bonnie*' | wc -l)"
}

commits() { # input of git fast-import
	local i text
	for ((i = 1; i <= 2000; i++)); do
		text="content of $i $((i * i))"
		printf 'commit refs/heads/imported\ncommitter a <a@b> %d +0000\ndata 3\nabc\n' $((1500000000 + i))
		((i > 1)) || echo 'from refs/heads/main^0'
		printf 'M 644 inline dir%d/file%d\ndata %d\n%s\n\n' $((i % 50)) $((i % 400)) ${#text} "$text"
	done
}

part_git() {
	local i
	export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
	git init -q -b main work && cd work || exit 9
	for ((i = 1; i <= 100; i++)); do
		mkdir -p dir$((i % 5)) && echo "line $i" >>file$((i % 7)) && echo $i >dir$((i % 5))/new$i && git add -A &&
			GIT_AUTHOR_DATE="@$((1500000000 + i)) +0000" GIT_COMMITTER_DATE="@$((1500000000 + i)) +0000" \
				git commit -q -m "commit $i" || break
	done >/tmp/log 2>&1
	said git-commit $? "$(git rev-parse HEAD)"
	commits | git fast-import --quiet >/tmp/log 2>&1
	said git-fast-import $? "$(git rev-parse imported) $(git rev-list --count imported)"
	git checkout -q imported >/tmp/log 2>&1
	said git-checkout $? "$(git status --porcelain | wc -l)"
	git fsck --full --strict >/tmp/log 2>&1
	said git-fsck $? "$(wc -l </tmp/log)"
	git gc -q --prune=now >/tmp/log 2>&1
	said git-gc $? "$(find .git/objects -name '*.pack' | wc -l)"
	git repack -q -a -d -f >/tmp/log 2>&1
	said git-repack $?
	git fsck --full --strict >/tmp/log 2>&1
	said git-fsck $? "$(wc -l </tmp/log)"
	git clone -q . /data/clone >/tmp/log 2>&1
	said git-clone $? "$(git -C /data/clone archive HEAD | sha1sum)"
}

statements() { # JOURNAL SYNCHRONOUS
	local i
	echo "pragma journal_mode=$1; pragma synchronous=$2;"
	echo "create table t(a integer primary key, b text, c blob); create index i on t(b);"
	for ((i = 1; i <= 60; i++)); do
		echo "begin; insert into t(b, c) select 'r$i-' || value, zeroblob(value * 7) from generate_series(1, 50);"
		echo "update t set b = b || 'u' where a % $((i % 9 + 2)) = 0; delete from t where a % $((i % 13 + 5)) = 1; commit;"
	done
	echo "pragma integrity_check; vacuum; pragma integrity_check; select count(*), sum(length(b)), sum(length(c)) from t;"
}

part_sqlite() {
	local how i writer
	for how in delete,off delete,normal delete,full truncate,full persist,full wal,off wal,normal wal,full memory,full; do
		statements ${how/,/ } | sqlite3 db >/tmp/log 2>&1
		said "sqlite-$how" $? "$(tail -n 3 /tmp/log | xargs) $(sqlite3 db .dump | sha1sum)"
		rm -f db*
	done
	sqlite3 db "pragma journal_mode=wal; create table t(a);" >/tmp/log 2>&1
	for writer in 1 2 3; do
		for ((i = 0; i < 40; i++)); do
			sqlite3 db ".timeout 60000" "insert into t values($writer * 1000 + $i);" || echo failed
		done >/tmp/log.$writer 2>&1 &
	done
	wait
	said sqlite-writers $? "$(cat /tmp/log.?; sqlite3 db 'select count(*), sum(a) from t; pragma integrity_check;' | xargs)"
}

# What a kernel lacks is no failure here: stress-ng then says that it has skipped the test.
part_stress() {
	local name status
	for name in $({ stress-ng --class 'filesystem?'; stress-ng --class 'io?'; } 2>&1 | sed 's/.*: //' | tr ' ' '\n' |
		sort -u); do
		stress-ng "--$name" 2 --timeout 2 --verify --temp-path /data --hdd-bytes 16M --iomix-bytes 16M \
			--readahead-bytes 16M --seek-size 16M >/tmp/log 2>&1
		status=$?
		if grep -q -E 'skipp|not supported|No stress workers' /tmp/log; then
			status=0
		fi
		said "stress-$name" $status
	done
}

"part_$1"
cd /
umount /data
