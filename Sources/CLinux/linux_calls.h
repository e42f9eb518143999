#include <sys/epoll.h>
#include <sys/eventfd.h>

/* <sys/socket.h> declares it only with _GNU_SOURCE, which a module cannot set for the headers of another. That header is not included here, as its constants
 * would then belong to this module. */
struct sockaddr;
extern int accept4(int descriptor, struct sockaddr *address, unsigned *length, int flags);
