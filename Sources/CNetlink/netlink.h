#include <netlink/netlink.h>
#include <netlink/errno.h>
#include <netlink/route/link.h>
