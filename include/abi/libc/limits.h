/* linux/ethtool.h wants the C library's INT_MAX: lib/types.h has it. */
