/* The host's services, the only file of the kernel that is built against the C library. */
#include "host.h"
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul

static int g_memory = -1;

void *os_arena(unsigned long size)
{
	void *p;

	g_memory = memfd_create("aramid-ram", MFD_CLOEXEC);
	if (g_memory < 0 || ftruncate(g_memory, (off_t)size))
		return NULL;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, g_memory, 0);
	return p == MAP_FAILED ? NULL : p;
}

void *os_reserve(unsigned long size)
{
	void *p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int os_map(void *va, unsigned long phys, int write)
{
	return mmap(va, PAGE, PROT_READ | (write ? PROT_WRITE : 0), MAP_SHARED | MAP_FIXED,
		       g_memory, (off_t)phys) == MAP_FAILED
		? -1
		: 0;
}

int os_unmap(void *va, unsigned long len)
{
	return mmap(va, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		       0) == MAP_FAILED
		? -1
		: 0;
}

void os_write(const char *s, unsigned long n)
{
	while (n) {
		ssize_t done = write(2, s, n);

		if (done <= 0)
			return;
		s += done;
		n -= (unsigned long)done;
	}
}

void os_abort(void)
{
	abort();
}

void os_exit(int status)
{
	exit(status);
}

void os_stack_bounds(void **bottom, unsigned long *size)
{
	pthread_attr_t attr;
	size_t n = 0;

	if (pthread_getattr_np(pthread_self(), &attr) == 0) {
		pthread_attr_getstack(&attr, bottom, &n);
		pthread_attr_destroy(&attr);
	}
	*size = n;
}
