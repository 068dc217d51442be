module := kernel/core
level := 2
deps := lib
srcs := lock.c rcu.c refcount.c log.c console.c symbols.c panic.c counters.c init.c irq.c call.c \
	trace.c random.c ubsan.c
