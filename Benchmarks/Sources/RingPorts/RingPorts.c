#include <rte_config.h>
#include "RingPorts.h"
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdio.h>
#include <string.h>

enum { most_queues = 64 };

static void ring_name(char *text, size_t size, const char *port, unsigned queue) { snprintf(text, size, "to_%s_%u", port, queue); }

/* Each ring has one producer and one consumer, because at both ends a queue belongs to one poll loop. */
static int create_rings(struct rte_ring **rings, const char *port, unsigned queues, unsigned frames) {
    for (unsigned queue = 0; queue < queues; queue++) {
        char name[RTE_RING_NAMESIZE];
        ring_name(name, sizeof name, port, queue);
        rings[queue] = rte_ring_create(name, frames, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
        if (!rings[queue]) return -rte_errno;
    }
    return 0;
}

/* A device of this kind has no address, and a port without one speaks no LLDP, so DCB's features are not in use there. */
static int name_port(int port, uint8_t last) {
    struct rte_ether_addr address = { { 2, 0, 0, 0, 0, last } };
    return port < 0 ? (rte_errno ? -rte_errno : -EIO) : rte_eth_dev_mac_addr_add((uint16_t)port, &address, 0);
}

int ring_ports_create(const char *a, const char *b, unsigned queues, unsigned frames) {
    struct rte_ring *to_a[most_queues], *to_b[most_queues];
    if (queues > most_queues) return -EINVAL;
    /* EAL logs an error if a device that is opened by its name exists already, although the caller does not treat that as one. */
    rte_log_set_level_pattern("lib.eal", RTE_LOG_CRIT);
    int result = create_rings(to_a, a, queues, frames);
    if (result == 0) result = create_rings(to_b, b, queues, frames);
    if (result != 0) return result;
    result = name_port(rte_eth_from_rings(a, to_a, queues, to_b, queues, 0), 1);
    return result == 0 ? name_port(rte_eth_from_rings(b, to_b, queues, to_a, queues, 0), 2) : result;
}

int ring_ports_put(const char *name, unsigned queue, const uint8_t *bytes, uint16_t length) {
    char text[RTE_RING_NAMESIZE];
    ring_name(text, sizeof text, name, queue);
    struct rte_ring *ring = rte_ring_lookup(text);
    struct rte_mempool *pool = rte_mempool_lookup("frames");
    if (!ring || !pool) return -ENOENT;
    struct rte_mbuf *frame = rte_pktmbuf_alloc(pool);
    if (!frame) return -ENOMEM;
    char *room = rte_pktmbuf_append(frame, length);
    if (room) memcpy(room, bytes, length);
    int result = room ? rte_ring_enqueue(ring, frame) : -EMSGSIZE;
    if (result != 0) rte_pktmbuf_free(frame);
    return result;
}
