/* SPDX-License-Identifier: MIT */
/* Message queues. */
#include "sysv.h"

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif
#ifndef MSG_EXCEPT
#define MSG_EXCEPT 020000
#endif
#ifndef MSG_STAT_ANY
#define MSG_STAT_ANY 13
#endif

struct text {
	long type;
	char text[8200];
};

static int new_queue(void)
{
	return OK(msgget(IPC_PRIVATE, 0600));
}

static void remove_queue(int id)
{
	OK(msgctl(id, IPC_RMID, NULL));
}

static void send_text(int id, long type, const char *text)
{
	struct text m = {.type = type};

	strcpy(m.text, text);
	OK(msgsnd(id, &m, strlen(text) + 1, 0));
}

/* The text of a message that must be there; its type is left in got_type. */
static long got_type;

static const char *take(int id, long wanted, int flags)
{
	static struct text m;

	OK(msgrcv(id, &m, sizeof(m.text), wanted, flags | IPC_NOWAIT));
	got_type = m.type;
	return m.text;
}

static struct msqid_ds stat_of(int id)
{
	struct msqid_ds ds;

	OK(msgctl(id, IPC_STAT, &ds));
	return ds;
}

TEST(msgget_finds_by_key)
{
	int id = OK(msgget(KEY, IPC_CREAT | IPC_EXCL | 0600));

	CHECK_EQ(msgget(KEY, 0), id);
	CHECK_EQ(msgget(KEY, IPC_CREAT | 0600), id);
	CHECK_ERR(msgget(KEY, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
	remove_queue(id);
	CHECK_ERR(msgget(KEY, 0), ENOENT);
	CHECK_ERR(msgctl(id, IPC_RMID, NULL), EINVAL);
}

TEST(messages_come_in_order)
{
	int id = new_queue();

	send_text(id, 3, "first");
	send_text(id, 1, "second");
	send_text(id, 3, "third");
	CHECK_STR(take(id, 0, 0), "first");
	CHECK_EQ(got_type, 3);
	CHECK_STR(take(id, 0, 0), "second");
	CHECK_STR(take(id, 0, 0), "third");
	CHECK_ERR(msgrcv(id, BAD_PTR, 10, 0, IPC_NOWAIT), ENOMSG);
	remove_queue(id);
}

TEST(messages_by_type)
{
	int id = new_queue();

	send_text(id, 5, "five");
	send_text(id, 2, "two");
	send_text(id, 9, "nine");
	send_text(id, 2, "two again");
	send_text(id, LONG_MAX, "most");
	CHECK_STR(take(id, 2, 0), "two");
	CHECK_STR(take(id, 5, MSG_EXCEPT), "nine");
	CHECK_ERR(msgrcv(id, BAD_PTR, 10, 9, IPC_NOWAIT), ENOMSG);
	CHECK_ERR(msgrcv(id, BAD_PTR, 10, -1, IPC_NOWAIT), ENOMSG);
	CHECK_STR(take(id, -5, 0), "two again");
	CHECK_EQ(got_type, 2);
	CHECK_STR(take(id, -5, 0), "five");
	CHECK_STR(take(id, LONG_MIN, 0), "most");
	for (int i = 5; i > 0; i--) {
		char text[2] = {(char)('0' + i), 0};

		send_text(id, i, text);
	}
	CHECK_STR(take(id, -3, 0), "1");
	CHECK_STR(take(id, -3, 0), "2");
	CHECK_STR(take(id, 0, 0), "5");
	remove_queue(id);
}

TEST(msg_sizes)
{
	int id = new_queue();
	static struct text m = {.type = 1};

	CHECK_ERR(msgsnd(id, &m, 8193, 0), EINVAL);
	CHECK_ERR(msgsnd(id, &m, -1, 0), EINVAL);
	m.type = 0;
	CHECK_ERR(msgsnd(id, &m, 1, 0), EINVAL);
	m.type = -1;
	CHECK_ERR(msgsnd(id, &m, 1, 0), EINVAL);
	m.type = 1;
	CHECK_ERR(msgsnd(-1, &m, 1, 0), EINVAL);
	CHECK_ERR(msgsnd(id, BAD_PTR, 1, 0), EFAULT);
	CHECK_ERR(msgrcv(id, &m, -1, 0, IPC_NOWAIT), EINVAL);
	for (int i = 0; i < 8192; i++)
		m.text[i] = (char)i;
	OK(msgsnd(id, &m, 8192, 0));
	memset(m.text, 0, sizeof(m.text));
	CHECK_ERR(msgrcv(id, &m, 8191, 0, 0), E2BIG);
	CHECK_EQ(stat_of(id).msg_qnum, 1);
	CHECK_EQ(msgrcv(id, &m, sizeof(m.text), 0, 0), 8192);
	for (int i = 0; i < 8192; i++)
		CHECK_EQ(m.text[i], (char)i);
	OK(msgsnd(id, &m, 0, 0));
	CHECK_EQ(msgrcv(id, &m, 0, 0, 0), 0);
	send_text(id, 4, "cut off here");
	CHECK_EQ(msgrcv(id, &m, 3, 0, MSG_NOERROR), 3);
	CHECK(!memcmp(m.text, "cut", 3));
	CHECK_EQ(stat_of(id).msg_qnum, 0);
	remove_queue(id);
}

TEST(queue_is_full)
{
	int id = new_queue();
	static struct text m = {.type = 1};
	struct msqid_ds ds;

	OK(msgsnd(id, &m, 8192, IPC_NOWAIT));
	OK(msgsnd(id, &m, 8192, IPC_NOWAIT));
	CHECK_ERR(msgsnd(id, &m, 1, IPC_NOWAIT), EAGAIN);
	OK(msgsnd(id, &m, 0, IPC_NOWAIT));
	ds = stat_of(id);
	CHECK_EQ(ds.msg_qnum, 3);
	CHECK_EQ(ds.__msg_cbytes, 16384);
	ds.msg_qbytes = 1;
	OK(msgctl(id, IPC_SET, &ds));
	OK(msgrcv(id, &m, 8192, 0, 0));
	OK(msgrcv(id, &m, 8192, 0, 0));
	CHECK_ERR(msgsnd(id, &m, 0, IPC_NOWAIT), EAGAIN); /* as many messages as bytes */
	OK(msgrcv(id, &m, 8192, 0, 0));
	OK(msgsnd(id, &m, 0, IPC_NOWAIT));
	remove_queue(id);
}

TEST(receiver_waits_for_its_type)
{
	int id = new_queue();
	pid_t pid = FORK();

	if (!pid) {
		static struct text m;

		CHECK_EQ(msgrcv(id, &m, sizeof(m.text), 7, 0), 5);
		CHECK_STR(m.text, "mine");
		CHECK_EQ(m.type, 7);
		_exit(0);
	}
	await_sleep(pid);
	send_text(id, 6, "other");
	await_sleep(pid);
	send_text(id, 7, "mine");
	expect_exit(pid, 0);
	CHECK_EQ(stat_of(id).msg_lrpid, pid);
	CHECK_STR(take(id, 0, 0), "other");
	remove_queue(id);
}

TEST(waiting_receiver_with_too_small_a_buffer)
{
	int id = new_queue();
	pid_t pid = FORK();

	if (!pid) {
		static struct text m;

		_exit(msgrcv(id, &m, 2, 0, 0) == -1 ? errno : 0);
	}
	await_sleep(pid);
	send_text(id, 1, "long");
	expect_exit(pid, E2BIG);
	CHECK_STR(take(id, 0, 0), "long");
	remove_queue(id);
}

TEST(sender_waits_for_room)
{
	int id = new_queue();
	static struct text m = {.type = 1};
	pid_t pid;

	OK(msgsnd(id, &m, 8192, 0));
	OK(msgsnd(id, &m, 8000, 0));
	pid = FORK();
	if (!pid) {
		m.type = 2;
		OK(msgsnd(id, &m, 8192, 0));
		_exit(0);
	}
	await_sleep(pid);
	OK(msgrcv(id, &m, 8192, 0, 0));
	expect_exit(pid, 0);
	CHECK_EQ(stat_of(id).msg_lspid, pid);
	CHECK_EQ(msgrcv(id, &m, 8192, 2, 0), 8192);
	remove_queue(id);
}

TEST(msg_removal_wakes_with_EIDRM)
{
	int full = new_queue(), empty = new_queue();
	static struct text m = {.type = 1};
	pid_t sender, receiver;

	OK(msgsnd(full, &m, 8192, 0));
	OK(msgsnd(full, &m, 8192, 0));
	sender = FORK();
	if (!sender)
		_exit(msgsnd(full, &m, 1, 0) ? errno : 0);
	receiver = FORK();
	if (!receiver)
		_exit(msgrcv(empty, &m, 10, 0, 0) == -1 ? errno : 0);
	await_sleep(sender);
	await_sleep(receiver);
	remove_queue(full);
	remove_queue(empty);
	expect_exit(sender, EIDRM);
	expect_exit(receiver, EIDRM);
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(signal_interrupts_msgrcv_even_with_SA_RESTART)
{
	int id = new_queue();
	pid_t pid = FORK();

	if (!pid) {
		static struct text m;

		on_signal(SIGUSR1, nothing, SA_RESTART);
		_exit(msgrcv(id, &m, 10, 0, 0) == -1 ? errno : 0);
	}
	await_sleep(pid);
	OK(kill(pid, SIGUSR1));
	expect_exit(pid, EINTR);
	remove_queue(id);
}

TEST(msgrcv_goes_on_after_a_stop)
{
	int id = new_queue();
	pid_t pid = FORK();

	if (!pid) {
		static struct text m;

		CHECK_EQ(msgrcv(id, &m, 10, 0, 0), 6);
		_exit(0);
	}
	await_sleep(pid);
	OK(kill(pid, SIGSTOP));
	await_state(pid, 'T');
	OK(kill(pid, SIGCONT));
	await_sleep(pid);
	send_text(id, 1, "after");
	expect_exit(pid, 0);
	remove_queue(id);
}

TEST(msg_copy_leaves_the_message)
{
	int id = new_queue();
	struct text m;

	send_text(id, 4, "zero");
	send_text(id, 5, "one");
	CHECK_STR(take(id, 1, MSG_COPY), "one");
	CHECK_EQ(got_type, 5);
	CHECK_STR(take(id, 0, MSG_COPY), "zero");
	CHECK_EQ(stat_of(id).msg_qnum, 2);
	CHECK_EQ(stat_of(id).msg_lrpid, 0);
	CHECK_ERR(msgrcv(id, &m, 100, 2, MSG_COPY | IPC_NOWAIT), ENOMSG);
	CHECK_ERR(msgrcv(id, &m, 100, 0, MSG_COPY), EINVAL);
	CHECK_ERR(msgrcv(id, &m, 100, 0, MSG_COPY | MSG_EXCEPT | IPC_NOWAIT), EINVAL);
	remove_queue(id);
}

TEST(msg_stat_and_times)
{
	time_t before = time(NULL);
	int id = OK(msgget(IPC_PRIVATE, 0640));
	struct msqid_ds ds = stat_of(id);

	CHECK_EQ(ds.msg_qbytes, 16384);
	CHECK_EQ(ds.msg_qnum, 0);
	CHECK_EQ(ds.msg_stime, 0);
	CHECK_EQ(ds.msg_rtime, 0);
	CHECK(ds.msg_ctime >= before);
	CHECK_EQ(ds.msg_perm.mode, 0640);
	send_text(id, 1, "12345");
	ds = stat_of(id);
	CHECK_EQ(ds.msg_qnum, 1);
	CHECK_EQ(ds.__msg_cbytes, 6);
	CHECK_EQ(ds.msg_lspid, getpid());
	CHECK(ds.msg_stime >= before);
	take(id, 0, 0);
	ds = stat_of(id);
	CHECK_EQ(ds.__msg_cbytes, 0);
	CHECK_EQ(ds.msg_lrpid, getpid());
	CHECK(ds.msg_rtime >= before);
	ds.msg_qbytes = 100000; /* more than msgmnb: root may */
	ds.msg_perm.uid = 1000;
	OK(msgctl(id, IPC_SET, &ds));
	CHECK_EQ(stat_of(id).msg_qbytes, 100000);
	pid_t pid = FORK();
	if (!pid) {
		become_user(1000, 1000);
		ds.msg_qbytes = 16385;
		CHECK_ERR(msgctl(id, IPC_SET, &ds), EPERM);
		ds.msg_qbytes = 16384;
		OK(msgctl(id, IPC_SET, &ds));
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(msgctl(INDEX_OF(id), MSG_STAT, &ds), id);
	CHECK_EQ(msgctl(INDEX_OF(id), MSG_STAT_ANY, &ds), id);
	CHECK_ERR(msgctl(id, 99, &ds), EINVAL);
	CHECK_ERR(msgctl(id, IPC_STAT, BAD_PTR), EFAULT);
	remove_queue(id);
}

TEST(msg_permissions)
{
	int id = OK(msgget(KEY, IPC_CREAT | 0604));
	pid_t pid;

	send_text(id, 1, "public");
	pid = FORK();
	if (!pid) {
		struct text m = {.type = 1};

		become_user(1000, 1000);
		CHECK_ERR(msgsnd(id, &m, 1, 0), EACCES);
		CHECK_STR(take(id, 0, 0), "public");
		CHECK_ERR(msgctl(id, IPC_RMID, NULL), EPERM);
		CHECK_ERR(msgget(KEY, 0200), EACCES);
		_exit(0);
	}
	expect_exit(pid, 0);
	remove_queue(id);
}

TEST(msg_info)
{
	int id = new_queue(), highest;
	struct msginfo limits, info;

	send_text(id, 1, "1234567");
	highest = OK(msgctl(0, IPC_INFO, (struct msqid_ds *)&limits));
	CHECK(highest >= INDEX_OF(id));
	CHECK_EQ(limits.msgpool, 512000);
	CHECK_EQ(limits.msgmap, 16384);
	CHECK_EQ(limits.msgmax, 8192);
	CHECK_EQ(limits.msgmnb, 16384);
	CHECK_EQ(limits.msgmni, 32000);
	CHECK_EQ(limits.msgssz, 16);
	CHECK_EQ(limits.msgtql, 16384);
	CHECK_EQ(limits.msgseg, 65535);
	OK(msgctl(0, MSG_INFO, (struct msqid_ds *)&info));
	CHECK(info.msgpool >= 1);
	CHECK(info.msgmap >= 1);
	CHECK(info.msgtql >= 8);
	remove_queue(id);
}

TEST(proc_sysvipc_msg)
{
	int id = OK(msgget(KEY, IPC_CREAT | 0606));
	struct msqid_ds ds;
	char want[256], *text;

	send_text(id, 1, "123");
	ds = stat_of(id);
	text = read_text("/proc/sysvipc/msg");
	CHECK(starts_with(text,
		"       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid"
		"      stime      rtime      ctime\n"));
	snprintf(want, sizeof(want),
		"%10d %10d  %4o  %10lu %10lu %5u %5u %5u %5u %5u %5u %10lu %10lu %10lu\n", KEY, id,
		0606, 4ul, 1ul, getpid(), 0, 0, 0, 0, 0, (unsigned long)ds.msg_stime, 0ul,
		(unsigned long)ds.msg_ctime);
	CHECK(strstr(text, want));
	remove_queue(id);
}

TEST(msg_limits_are_kept)
{
	struct text m = {.type = 1};
	int id = new_queue(), other;

	write_file("/proc/sys/kernel/msgmax", "10");
	CHECK_ERR(msgsnd(id, &m, 11, 0), EINVAL);
	write_file("/proc/sys/kernel/msgmax", "8192");
	write_file("/proc/sys/kernel/msgmnb", "100");
	other = new_queue();
	CHECK_EQ(stat_of(other).msg_qbytes, 100);
	CHECK_EQ(stat_of(id).msg_qbytes, 16384);
	write_file("/proc/sys/kernel/msgmnb", "16384");
	write_file("/proc/sys/kernel/msgmni", "2");
	CHECK_ERR(msgget(IPC_PRIVATE, 0600), ENOSPC);
	write_file("/proc/sys/kernel/msgmni", "32000");
	remove_queue(id);
	remove_queue(other);
}

/* Several senders and receivers: every message arrives once. */
#define PARTIES  3
#define MESSAGES 400

TEST(every_message_arrives_once)
{
	int id = new_queue();
	_Atomic long *sum = OK(
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	pid_t pid[2 * PARTIES];
	struct msqid_ds ds = stat_of(id);

	ds.msg_qbytes = 200; /* so that senders wait, too */
	OK(msgctl(id, IPC_SET, &ds));
	for (int i = 0; i < PARTIES; i++) {
		pid[i] = FORK();
		if (!pid[i]) {
			for (long n = 1; n <= MESSAGES; n++) {
				struct {
					long type, n;
				} m = {i + 1, n};

				OK(msgsnd(id, &m, sizeof(long), 0));
			}
			_exit(0);
		}
		pid[PARTIES + i] = FORK();
		if (!pid[PARTIES + i]) {
			long last = 0;

			for (int n = 1; n <= MESSAGES; n++) {
				struct {
					long type, n;
				} m;

				CHECK_EQ(msgrcv(id, &m, sizeof(long), i + 1, 0), sizeof(long));
				CHECK(m.n > last);
				last = m.n;
				*sum += m.n;
			}
			_exit(0);
		}
	}
	for (int i = 0; i < 2 * PARTIES; i++)
		expect_exit(pid[i], 0);
	CHECK_EQ(*sum, PARTIES * (long)MESSAGES * (MESSAGES + 1) / 2);
	CHECK_EQ(stat_of(id).msg_qnum, 0);
	remove_queue(id);
}
