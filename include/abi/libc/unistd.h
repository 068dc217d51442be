/* linux/shm.h includes this for user programs; a kernel needs nothing of it. */
