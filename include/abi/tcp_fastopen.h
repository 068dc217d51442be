/* Bits of net.ipv4.tcp_fastopen: ip-sysctl. */
#ifndef ABI_TCP_FASTOPEN_H
#define ABI_TCP_FASTOPEN_H

#define TFO_CLIENT_ENABLE          0x1   /* data may go with a SYN */
#define TFO_SERVER_ENABLE          0x2   /* and be taken */
#define TFO_CLIENT_NO_COOKIE       0x4   /* a client needs no cookie */
#define TFO_SERVER_COOKIE_NOT_REQD 0x200 /* a server asks for none */
#define TFO_SERVER_WO_SOCKOPT1     0x400 /* all listeners take it */

#endif
