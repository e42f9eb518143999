#include <netlink/netlink.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/route/link.h>
#include <linux/ethtool.h>

/* sched.h declares this for _GNU_SOURCE only, which Swift's Glibc module is built without. */
extern int setns(int fd, int nstype);

/* setns(2) with CLONE_NEWNET. */
static inline int enter_network_namespace(int fd) { return setns(fd, 0x40000000); }

/* The head of struct ifreq with its ifru_data; <net/if.h> and <linux/if.h> define it differently, so neither is included. */
struct interface_request {
    char name[16];
    void *data;
    char rest[16];
};
