/* Under this name linux/if.h and its like look for struct sockaddr and socklen types. */
#ifndef SYS_SOCKET_H
#define SYS_SOCKET_H

#include <abi/socket.h>

#endif
