/* Socket options of UDP-Lite: udplite(7). */
#ifndef ABI_UDPLITE_H
#define ABI_UDPLITE_H

#define SOL_UDPLITE        136
#define UDPLITE_SEND_CSCOV 10 /* bytes that the checksum of what is sent covers */
#define UDPLITE_RECV_CSCOV 11 /* what covers less is dropped */
#define UDPLITE_COV_MIN    8
#define UDPLITE_COV_MAX    65535

#endif
