module := kernel/sched
level := 3
deps := lib kernel/core kernel/kmem
srcs := core.c balance.c fair.c thread.c policy.c rt.c tick.c timer.c clock.c wait.c mutex.c \
	rwsem.c lockrank.c futex.c futex_pi.c hung.c inspect.c work.c rcu_thread.c kswapd.c
