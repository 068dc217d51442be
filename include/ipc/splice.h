/* Flags of splice(2), tee(2) and vmsplice(2): the uapi headers don't carry them (man page values). */
#ifndef IPC_SPLICE_H
#define IPC_SPLICE_H

#define SPLICE_F_MOVE     1u
#define SPLICE_F_NONBLOCK 2u
#define SPLICE_F_MORE     4u
#define SPLICE_F_GIFT     8u

#endif
