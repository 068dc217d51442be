/* SPDX-License-Identifier: MIT */
/* Shared memory segments. */
#include "sysv.h"

#ifndef SHM_EXEC
#define SHM_EXEC 0100000
#endif
#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif
#ifndef SHM_NORESERVE
#define SHM_NORESERVE 010000
#endif
#ifndef SHM_HUGETLB
#define SHM_HUGETLB 04000
#endif

static int new_shm(size_t size)
{
	return OK(shmget(IPC_PRIVATE, size, 0600));
}

static void remove_shm(int id)
{
	OK(shmctl(id, IPC_RMID, NULL));
}

static struct shmid_ds stat_of(int id)
{
	struct shmid_ds ds;

	OK(shmctl(id, IPC_STAT, &ds));
	return ds;
}

/* The line of /proc/self/maps whose range begins at p, without the range. */
static const char *maps_line(void *p)
{
	static char found[512];
	char want[32], *text = read_text("/proc/self/maps");

	snprintf(want, sizeof(want), "%lx-", (unsigned long)p);
	for (char *l = strtok(text, "\n"); l; l = strtok(NULL, "\n"))
		if (!strncmp(l, want, strlen(want)) || (l[0] == '0' && strstr(l, want) == l + 1)) {
			snprintf(found, sizeof(found), "%s", strchr(l, ' ') + 1);
			return found;
		}
	return "";
}

TEST(shmget_finds_by_key)
{
	int id = OK(shmget(KEY, 5000, IPC_CREAT | IPC_EXCL | 0600));

	CHECK_EQ(shmget(KEY, 0, 0), id);
	CHECK_EQ(shmget(KEY, 5000, IPC_CREAT | 0600), id);
	CHECK_ERR(shmget(KEY, 5001, 0), EINVAL);
	CHECK_ERR(shmget(KEY, 5000, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
	remove_shm(id);
	CHECK_ERR(shmget(KEY, 5000, 0), ENOENT);
	CHECK_ERR(shmctl(id, IPC_RMID, NULL), EINVAL);
}

TEST(shmget_refuses_bad_sizes)
{
	CHECK_ERR(shmget(IPC_PRIVATE, 0, 0600), EINVAL);
	CHECK_ERR(shmget(IPC_PRIVATE, (size_t)-1, 0600), EINVAL);
	CHECK_ERR(shmget(IPC_PRIVATE, 1ul << 44, 0600), ENOMEM);
	CHECK_ERR(shmget(KEY, 100, 0), ENOENT);
	int id = OK(shmget(IPC_PRIVATE, 1ul << 38, 0600 | SHM_NORESERVE));
	remove_shm(id);
}

TEST(shm_huge_pages_are_refused_without_any)
{
	CHECK_ERR(shmget(IPC_PRIVATE, 2 << 20, 0600 | SHM_HUGETLB), ENOMEM);
	pid_t pid = FORK();
	if (!pid) {
		become_user(1000, 1000);
		CHECK_ERR(shmget(IPC_PRIVATE, 2 << 20, 0600 | SHM_HUGETLB), EPERM);
		_exit(0);
	}
	expect_exit(pid, 0);
}

TEST(shm_ids_are_index_and_sequence)
{
	int first = new_shm(100), second;

	remove_shm(first);
	second = new_shm(100);
	remove_shm(second);
	CHECK(first != second);
	/* A window of at least 64 indexes goes by before one comes again, with the next sequence. */
	for (int i = 0; i < 200; i++) {
		int id = new_shm(100);

		remove_shm(id);
		CHECK(INDEX_OF(id) < 64);
		if (INDEX_OF(id) > INDEX_OF(second))
			CHECK_EQ(id, second + 1);
		else
			CHECK_EQ(id, ((second >> 15) + 1) << 15);
		second = id;
	}
}

TEST(shm_is_shared_between_processes)
{
	int id = new_shm(10000);
	char *p = OK(shmat(id, NULL, 0));

	for (int i = 0; i < 10000; i += 1000)
		CHECK_EQ(p[i], 0);
	strcpy(p + 9000, "hello");
	pid_t pid = FORK();
	if (!pid) {
		char *q = OK(shmat(id, NULL, 0));

		CHECK(q != p);
		CHECK_STR(q + 9000, "hello");
		strcpy(p + 4096, "inherited");
		strcpy(q + 5, "attached");
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_STR(p + 4096, "inherited");
	CHECK_STR(p + 5, "attached");
	OK(shmdt(p));
	CHECK_ERR(shmdt(p), EINVAL);
	p = OK(shmat(id, NULL, 0));
	CHECK_STR(p + 5, "attached");
	OK(shmdt(p));
	remove_shm(id);
}

TEST(shm_stat_counts_attachments)
{
	time_t before = time(NULL);
	int id = OK(shmget(IPC_PRIVATE, 5000, 0640));
	struct shmid_ds ds = stat_of(id);
	void *p, *q;

	CHECK_EQ(ds.shm_segsz, 5000);
	CHECK_EQ(ds.shm_nattch, 0);
	CHECK_EQ(ds.shm_cpid, getpid());
	CHECK_EQ(ds.shm_lpid, 0);
	CHECK_EQ(ds.shm_atime, 0);
	CHECK_EQ(ds.shm_dtime, 0);
	CHECK(ds.shm_ctime >= before && ds.shm_ctime <= time(NULL));
	CHECK_EQ(ds.shm_perm.mode, 0640);
	p = OK(shmat(id, NULL, 0));
	q = OK(shmat(id, NULL, SHM_RDONLY));
	ds = stat_of(id);
	CHECK_EQ(ds.shm_nattch, 2);
	CHECK_EQ(ds.shm_lpid, getpid());
	CHECK(ds.shm_atime >= before);
	CHECK_EQ(ds.shm_dtime, 0);
	pid_t pid = FORK();
	if (!pid) {
		CHECK_EQ(stat_of(id).shm_nattch, 4);
		OK(shmdt(p));
		CHECK_EQ(stat_of(id).shm_nattch, 3);
		_exit(0);
	}
	expect_exit(pid, 0);
	ds = stat_of(id);
	CHECK_EQ(ds.shm_nattch, 2);
	CHECK_EQ(ds.shm_lpid, pid);
	CHECK(ds.shm_dtime >= before);
	OK(shmdt(q));
	OK(shmdt(p));
	CHECK_EQ(stat_of(id).shm_nattch, 0);
	remove_shm(id);
}

HELPER(count_attachments)
{
	struct shmid_ds ds;

	return shmctl(atoi(argv[0]), IPC_STAT, &ds) ? 99 : (int)ds.shm_nattch;
}

TEST(exec_detaches)
{
	int id = new_shm(100);
	char arg[16];

	OK((long)shmat(id, NULL, 0));
	snprintf(arg, sizeof(arg), "%d", id);
	pid_t pid = FORK();
	if (!pid) {
		exec_helper("count_attachments", arg, NULL);
		_exit(98);
	}
	expect_exit(pid, 1);
	remove_shm(id);
}

TEST(removed_segment_lives_until_the_last_detach)
{
	int id = OK(shmget(KEY, 4096, IPC_CREAT | 0600));
	char *p = OK(shmat(id, NULL, 0)), *q;
	struct shmid_ds ds;

	strcpy(p, "still here");
	remove_shm(id);
	CHECK_ERR(shmget(KEY, 0, 0), ENOENT);
	ds = stat_of(id);
	CHECK_EQ(ds.shm_perm.mode, 0600 | 01000);
	CHECK_EQ(ds.shm_perm.__key, 0);
	q = OK(shmat(id, NULL, 0));
	CHECK_STR(q, "still here");
	int other = OK(shmget(KEY, 4096, IPC_CREAT | IPC_EXCL | 0600));
	CHECK(other != id);
	remove_shm(other);
	OK(shmdt(p));
	CHECK_STR(q, "still here");
	OK(shmdt(q));
	CHECK_ERR(shmctl(id, IPC_STAT, &ds), EINVAL);
	CHECK_ERR((long)shmat(id, NULL, 0), EINVAL);
}

TEST(removed_segment_goes_with_its_last_process)
{
	int id = new_shm(4096);
	struct shmid_ds ds;
	struct gate ready = gate_make(), end = gate_make();
	pid_t pid = FORK();

	if (!pid) {
		OK((long)shmat(id, NULL, 0));
		gate_open(ready);
		gate_wait(end);
		_exit(0);
	}
	gate_wait(ready);
	remove_shm(id);
	CHECK_EQ(stat_of(id).shm_nattch, 1);
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
	CHECK_ERR(shmctl(id, IPC_STAT, &ds), EINVAL);
}

TEST(shmat_addresses)
{
	int id = new_shm(8192);
	char *area = OK(mmap(NULL, 16 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	CHECK_ERR((long)shmat(id, area, 0), EINVAL); /* something is there */
	CHECK_ERR((long)shmat(id, area + 1, 0), EINVAL);
	CHECK_ERR((long)shmat(id, area + 1, SHM_REMAP), EINVAL);
	CHECK_ERR((long)shmat(id, NULL, SHM_REMAP), EINVAL);
	CHECK_ERR((long)shmat(id, (void *)1, SHM_REMAP | SHM_RND), EINVAL);
	CHECK(shmat(id, area + 4096, SHM_REMAP) == area + 4096);
	OK(munmap(area + 3 * 4096, 13 * 4096));
	CHECK(shmat(id, area + 8 * 4096 + 77, SHM_RND) == area + 8 * 4096);
	CHECK(shmat(id, area + 12 * 4096, 0) == area + 12 * 4096);
	CHECK_EQ(stat_of(id).shm_nattch, 3);
	CHECK_ERR(shmdt(area + 4096 + 1), EINVAL);
	CHECK_ERR(shmdt(area), EINVAL);
	CHECK_ERR(shmdt(area + 2 * 4096), EINVAL);
	OK(shmdt(area + 4096));
	OK(shmdt(area + 8 * 4096));
	OK(shmdt(area + 12 * 4096));
	pid_t pid = FORK();
	if (!pid) {
		become_user(1000, 1000);
		id = new_shm(8192);
		CHECK_ERR((long)shmat(id, (void *)1, SHM_RND), EPERM); /* at 0, and nowhere else */
		OK(shmctl(id, IPC_RMID, NULL));
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_ERR((long)shmat(-1, NULL, 0), EINVAL);
	CHECK_ERR((long)shmat(id + 1, NULL, 0), EINVAL);
	CHECK_ERR((long)shmat(id, (void *)(1ul << 60), 0), ENOMEM);
	remove_shm(id);
}

TEST(adjacent_attachments_are_two)
{
	int id = new_shm(8192);
	char *area = OK(mmap(NULL, 8 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	OK((long)shmat(id, area, SHM_REMAP));
	OK((long)shmat(id, area + 8192, SHM_REMAP));
	CHECK_EQ(stat_of(id).shm_nattch, 2);
	OK(shmdt(area));
	CHECK_EQ(stat_of(id).shm_nattch, 1);
	OK(shmdt(area + 8192));
	remove_shm(id);
}

TEST(each_part_of_a_divided_attachment_counts)
{
	int id = new_shm(4 * 4096);
	char *p = OK(shmat(id, NULL, 0));

	OK(mprotect(p + 4096, 4096, PROT_READ));
	CHECK_EQ(stat_of(id).shm_nattch, 3);
	OK(mprotect(p + 4096, 4096, PROT_READ | PROT_WRITE));
	CHECK_EQ(stat_of(id).shm_nattch, 3);
	OK(munmap(p, 4096));
	CHECK_EQ(stat_of(id).shm_nattch, 2);
	OK(shmdt(p)); /* all that is left of it */
	CHECK_EQ(stat_of(id).shm_nattch, 0);
	remove_shm(id);
}

TEST(mremap_moves_an_attachment)
{
	int id = new_shm(2 * 4096);
	char *p = OK(shmat(id, NULL, 0));
	char *area = OK(mmap(NULL, 8 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	char *q;

	strcpy(p, "moved");
	q = OK(mremap(p, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, area));
	CHECK_STR(q, "moved");
	CHECK_EQ(stat_of(id).shm_nattch, 1);
	CHECK_ERR(shmdt(p), EINVAL);
	OK(shmdt(q));
	CHECK_EQ(stat_of(id).shm_nattch, 0);
	remove_shm(id);
}

TEST(read_only_attachment_stays_so)
{
	int id = new_shm(4096);
	char *p = OK(shmat(id, NULL, SHM_RDONLY));

	CHECK_ERR(mprotect(p, 4096, PROT_READ | PROT_WRITE), EACCES);
	pid_t pid = FORK();
	if (!pid) {
		*(volatile char *)p = 1;
		_exit(0);
	}
	expect_signal(pid, SIGSEGV);
	OK(shmdt(p));
	remove_shm(id);
}

TEST(shm_exec_maps_executable)
{
	int id = OK(shmget(IPC_PRIVATE, 4096, 0700));
	char *p = OK(shmat(id, NULL, SHM_EXEC));

	CHECK(!strncmp(maps_line(p), "rwxs", 4));
	p[0] = (char)0xc3; /* ret */
	((void (*)(void))p)();
	OK(shmdt(p));
	p = OK(shmat(id, NULL, 0));
	CHECK(!strncmp(maps_line(p), "rw-s", 4));
	OK(shmdt(p));
	remove_shm(id);
}

TEST(access_beyond_the_size_is_zero_up_to_the_page_end)
{
	int id = new_shm(100);
	char *p = OK(shmat(id, NULL, 0));

	p[4095] = 7;
	CHECK_EQ(p[4095], 7);
	CHECK_EQ(p[2000], 0);
	OK(shmdt(p));
	remove_shm(id);
}

TEST(maps_show_key_and_id)
{
	int id = OK(shmget(KEY, 8192, IPC_CREAT | 0600));
	char *p = OK(shmat(id, NULL, 0)), want[64];
	const char *line = maps_line(p);
	unsigned long off, inode;
	char perms[8], name[64];

	CHECK_EQ(sscanf(line, "%7s %lx %*x:%*x %lu %63[^\n]", perms, &off, &inode, name), 4);
	CHECK_STR(perms, "rw-s");
	CHECK_EQ(off, 0);
	CHECK_EQ(inode, id);
	snprintf(want, sizeof(want), "/SYSV%08x (deleted)", KEY);
	CHECK_STR(name, want);
	OK(shmdt(p));
	remove_shm(id);
}

TEST(permissions_follow_the_mode)
{
	int id = OK(shmget(KEY, 4096, IPC_CREAT | 0640));
	pid_t pid = FORK();

	if (!pid) {
		struct shmid_ds ds;

		become_user(1000, 1000);
		CHECK_ERR(shmget(KEY, 0, 0400), EACCES);
		CHECK_EQ(shmget(KEY, 0, 0), id);
		CHECK_ERR((long)shmat(id, NULL, SHM_RDONLY), EACCES);
		CHECK_ERR(shmctl(id, IPC_STAT, &ds), EACCES);
		CHECK_ERR(shmctl(id, IPC_RMID, NULL), EPERM);
		CHECK_ERR(shmctl(id, SHM_LOCK, NULL), EPERM);
		CHECK_ERR(shmctl(INDEX_OF(id), SHM_STAT, &ds), EACCES);
		CHECK_EQ(shmctl(INDEX_OF(id), SHM_STAT_ANY, &ds), id);
		_exit(0);
	}
	expect_exit(pid, 0);
	pid = FORK();
	if (!pid) {
		struct shmid_ds ds;

		become_user(1000, 0);
		OK((long)shmat(id, NULL, SHM_RDONLY));
		CHECK_ERR((long)shmat(id, NULL, 0), EACCES);
		OK(shmctl(id, IPC_STAT, &ds));
		CHECK_ERR(shmctl(id, IPC_SET, &ds), EPERM);
		_exit(0);
	}
	expect_exit(pid, 0);
	remove_shm(id);
}

TEST(ipc_set_gives_a_segment_away)
{
	int id = new_shm(4096);
	struct shmid_ds ds = stat_of(id);

	ds.shm_perm.uid = 1000;
	ds.shm_perm.gid = 1001;
	ds.shm_perm.mode = 07604;
	OK(shmctl(id, IPC_SET, &ds));
	ds = stat_of(id);
	CHECK_EQ(ds.shm_perm.uid, 1000);
	CHECK_EQ(ds.shm_perm.gid, 1001);
	CHECK_EQ(ds.shm_perm.cuid, 0);
	CHECK_EQ(ds.shm_perm.mode, 0604);
	ds.shm_perm.uid = -1;
	CHECK_ERR(shmctl(id, IPC_SET, &ds), EINVAL);
	CHECK_ERR(shmctl(id, IPC_SET, BAD_PTR), EFAULT);
	CHECK_ERR(shmctl(id, IPC_STAT, BAD_PTR), EFAULT);
	pid_t pid = FORK();
	if (!pid) {
		become_user(1000, 1000);
		OK((long)shmat(id, NULL, 0));
		OK(shmctl(id, IPC_RMID, NULL));
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_ERR(shmctl(id, IPC_STAT, &ds), EINVAL);
}

TEST(shm_lock_shows_in_the_mode)
{
	int id = new_shm(4096);

	OK(shmctl(id, SHM_LOCK, NULL));
	CHECK_EQ(stat_of(id).shm_perm.mode, 0600 | 02000);
	OK(shmctl(id, SHM_LOCK, NULL));
	OK(shmctl(id, SHM_UNLOCK, NULL));
	CHECK_EQ(stat_of(id).shm_perm.mode, 0600);
	remove_shm(id);
}

TEST(shm_lock_counts_against_the_limit)
{
	pid_t pid = FORK();

	if (!pid) {
		struct rlimit r = {8192, 8192};
		int a, b;

		OK(setrlimit(RLIMIT_MEMLOCK, &r));
		become_user(1000, 1000);
		a = new_shm(8192);
		b = new_shm(4096);
		OK(shmctl(a, SHM_LOCK, NULL));
		CHECK_ERR(shmctl(b, SHM_LOCK, NULL), ENOMEM);
		OK(shmctl(a, SHM_UNLOCK, NULL));
		OK(shmctl(b, SHM_LOCK, NULL));
		remove_shm(b);
		OK(shmctl(a, SHM_LOCK, NULL));
		remove_shm(a);
		r.rlim_cur = 0;
		OK(setrlimit(RLIMIT_MEMLOCK, &r));
		a = new_shm(8192);
		CHECK_ERR(shmctl(a, SHM_LOCK, NULL), EPERM);
		remove_shm(a);
		_exit(0);
	}
	expect_exit(pid, 0);
}

TEST(shm_info_describes_the_system)
{
	int id = new_shm(3 * 4096 + 1);
	char *p = OK(shmat(id, NULL, 0));
	struct shminfo limits;
	struct shm_info before, after;
	struct shmid_ds ds;
	int highest;

	highest = OK(shmctl(0, IPC_INFO, (struct shmid_ds *)&limits));
	CHECK_EQ(limits.shmmni, 4096);
	CHECK_EQ(limits.shmmin, 1);
	CHECK_EQ(limits.shmseg, 4096);
	CHECK_EQ(limits.shmmax, 18446744073692774399ul);
	CHECK_EQ(limits.shmall, 18446744073692774399ul);
	CHECK(highest >= INDEX_OF(id));
	OK(shmctl(0, SHM_INFO, (struct shmid_ds *)&before));
	p[0] = p[4096] = 1;
	OK(shmctl(0, SHM_INFO, (struct shmid_ds *)&after));
	CHECK_EQ(after.shm_rss - before.shm_rss, 2);
	CHECK_EQ(after.used_ids, before.used_ids);
	CHECK(after.shm_tot >= 4);
	CHECK_EQ(shmctl(INDEX_OF(id), SHM_STAT, &ds), id);
	CHECK_EQ(ds.shm_segsz, 3 * 4096 + 1);
	CHECK_ERR(shmctl(INDEX_OF(id) + 1, SHM_STAT, &ds), EINVAL);
	CHECK_ERR(shmctl(id, 99, &ds), EINVAL);
	CHECK_ERR(shmctl(-1, IPC_STAT, &ds), EINVAL);
	OK(shmdt(p));
	remove_shm(id);
}

static void write_limit(const char *name, const char *value)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
	write_file(path, value);
}

TEST(shm_limits_are_kept)
{
	int id = new_shm(4096);

	write_limit("shmmax", "8192");
	CHECK_ERR(shmget(IPC_PRIVATE, 8193, 0600), EINVAL);
	write_limit("shmmax", "18446744073692774399");
	write_limit("shmall", "3");
	int other = OK(shmget(IPC_PRIVATE, 8192, 0600));
	CHECK_ERR(shmget(IPC_PRIVATE, 1, 0600), ENOSPC);
	remove_shm(other);
	write_limit("shmall", "18446744073692774399");
	write_limit("shmmni", "1");
	CHECK_ERR(shmget(IPC_PRIVATE, 1, 0600), ENOSPC);
	write_limit("shmmni", "4096");
	remove_shm(id);
}

TEST(rmid_forced_removes_what_nobody_has_attached)
{
	struct shmid_ds ds;
	int id = new_shm(4096), orphan[2];
	char *p;

	OK(pipe(orphan));
	pid_t pid = FORK();
	if (!pid) {
		int made = new_shm(4096);

		OK(write(orphan[1], &made, sizeof(made)));
		_exit(0);
	}
	expect_exit(pid, 0);
	int left;
	CHECK_EQ(read(orphan[0], &left, sizeof(left)), sizeof(left));
	OK(shmctl(left, IPC_STAT, &ds));
	write_limit("shm_rmid_forced", "1");
	CHECK_ERR(shmctl(left, IPC_STAT, &ds), EINVAL); /* nobody's, and its creator is gone */
	OK(shmctl(id, IPC_STAT, &ds));                  /* ours */
	p = OK(shmat(id, NULL, 0));
	OK(shmdt(p));
	CHECK_ERR(shmctl(id, IPC_STAT, &ds), EINVAL);
	pid = FORK();
	if (!pid) {
		int made = new_shm(4096);

		OK(write(orphan[1], &made, sizeof(made)));
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(read(orphan[0], &left, sizeof(left)), sizeof(left));
	CHECK_ERR(shmctl(left, IPC_STAT, &ds), EINVAL);
	write_limit("shm_rmid_forced", "0");
}

TEST(proc_sysvipc_shm)
{
	int id = OK(shmget(KEY, 5000, IPC_CREAT | 0604));
	char *p = OK(shmat(id, NULL, 0)), want[512], *text;
	struct shmid_ds ds = stat_of(id);

	p[0] = 1;
	text = read_text("/proc/sysvipc/shm");
	CHECK(starts_with(text,
		"       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid"
		"  cgid      atime      dtime      ctime                   rss                  swap\n"));
	snprintf(want, sizeof(want),
		"%10d %10d  %4o %21lu %5u %5u  %5lu %5u %5u %5u %5u %10lu %10lu %10lu %21lu %21lu\n",
		KEY, id, 0604, 5000ul, getpid(), getpid(), 1ul, 0, 0, 0, 0,
		(unsigned long)ds.shm_atime, 0ul, (unsigned long)ds.shm_ctime, 4096ul, 0ul);
	CHECK(strstr(text, want));
	OK(shmdt(p));
	remove_shm(id);
}

/* Attaching, detaching and removing race; afterwards nothing is left. */
#define RACERS 4
static int race_id;
static atomic_int race_go;

static void *racer(void *arg)
{
	(void)arg;
	while (!race_go)
		sched_yield();
	for (int i = 0; i < 200; i++) {
		char *p = shmat(race_id, NULL, 0);

		if (p == (void *)-1)
			break;
		p[0]++;
		OK(shmdt(p));
	}
	return NULL;
}

TEST(removal_races_with_attachments)
{
	struct shmid_ds ds;
	pthread_t t[RACERS];

	race_id = new_shm(4096);
	for (int i = 0; i < RACERS; i++)
		CHECK_PT(pthread_create(&t[i], NULL, racer, NULL));
	race_go = 1;
	sched_yield();
	remove_shm(race_id);
	for (int i = 0; i < RACERS; i++)
		CHECK_PT(pthread_join(t[i], NULL));
	CHECK_ERR(shmctl(race_id, IPC_STAT, &ds), EINVAL);
}

/* A pattern that no other memory of the process holds. */
static void fill(unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(i * 37 + 11);
}

TEST(core_file_has_the_segment)
{
	struct rlimit r = {RLIM_INFINITY, RLIM_INFINITY};
	static unsigned char want[4096];
	int id = new_shm(8192), fd;
	unsigned char *p;
	struct stat st;
	pid_t pid;

	write_file("/proc/sys/kernel/core_pattern", "core");
	OK(setrlimit(RLIMIT_CORE, &r));
	pid = FORK();
	if (!pid) {
		p = OK((unsigned char *)shmat(id, NULL, 0));
		fill(p, 4096);
		abort();
	}
	expect_signal(pid, SIGABRT);
	fd = open("core", O_RDONLY);
	if (fd < 0) {
		char name[32];

		snprintf(name, sizeof(name), "core.%d", pid);
		fd = OK(open(name, O_RDONLY));
	}
	OK(fstat(fd, &st));
	p = OK((unsigned char *)mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0));
	fill(want, sizeof(want));
	CHECK(memmem(p, st.st_size, want, sizeof(want)));
	remove_shm(id);
}
