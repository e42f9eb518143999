#include <rte_config.h>
#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "SchedPeer.h"

enum { BURST = 32, PIPES = 4096, POOL = 262143 };

struct sched_peer {
    struct rte_sched_port *port;
    struct rte_mbuf **spare;
    uint32_t spares;
    uint32_t pipes;
    uint32_t pipe_bits;
    uint32_t length;
    uint32_t queued;
};

static struct rte_mempool *pool;

uint64_t sched_peer_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int start(void)
{
    static char *arguments[] = {"sched-peer", "--no-huge", "-m", "1500", "--no-pci", "--no-telemetry", "--no-shconf", "--log-level=3", "-l", "0", NULL};
    if (pool)
        return 0;
    if (rte_eal_init(10, arguments) < 0)
        return -1;
    pool = rte_pktmbuf_pool_create("peer", POOL, 0, 0, RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
    return pool ? 0 : -1;
}

sched_peer *sched_peer_create(uint32_t classes, uint64_t rate, uint32_t length)
{
    if (start() < 0)
        return NULL;
    uint32_t pipes = 1;
    while (pipes < classes && pipes < PIPES)
        pipes <<= 1;
    uint32_t subports = (classes + pipes - 1) / pipes;
    struct rte_sched_subport_profile_params subport_profile = {.tb_rate = rate, .tb_size = 1000000, .tc_period = 10};
    struct rte_sched_pipe_params pipe_profile = {.tb_rate = rate, .tb_size = 1000000, .tc_period = 40, .tc_ov_weight = 1};
    /* A subport needs a rate for every traffic class, whether it is used or not. */
    for (int i = 0; i < RTE_SCHED_TRAFFIC_CLASSES_PER_PIPE; i++)
        subport_profile.tc_rate[i] = rate;
    pipe_profile.tc_rate[RTE_SCHED_TRAFFIC_CLASS_BE] = rate;
    for (int i = 0; i < RTE_SCHED_BE_QUEUES_PER_PIPE; i++)
        pipe_profile.wrr_weights[i] = 1;
    struct rte_sched_subport_params subport = {
        .n_pipes_per_subport_enabled = pipes, .pipe_profiles = &pipe_profile, .n_pipe_profiles = 1, .n_max_pipe_profiles = 1};
    subport.qsize[RTE_SCHED_TRAFFIC_CLASS_BE] = 64;
    struct rte_sched_port_params port = {
        .name = "peer", .socket = 0, .rate = rate, .mtu = 1522, .frame_overhead = RTE_SCHED_FRAME_OVERHEAD_DEFAULT,
        .n_subports_per_port = rte_align32pow2(subports), .subport_profiles = &subport_profile, .n_subport_profiles = 1,
        .n_max_subport_profiles = 1, .n_pipes_per_subport = pipes};
    sched_peer *peer = calloc(1, sizeof *peer);
    peer->port = rte_sched_port_config(&port);
    peer->pipes = pipes;
    peer->pipe_bits = (uint32_t)__builtin_ctz(pipes);
    peer->length = length;
    if (!peer->port)
        return NULL;
    for (uint32_t s = 0; s < port.n_subports_per_port; s++) {
        if (rte_sched_subport_config(peer->port, s, &subport, 0))
            return NULL;
        for (uint32_t p = 0; p < pipes; p++)
            if (rte_sched_pipe_config(peer->port, s, p, 0))
                return NULL;
    }
    peer->spare = calloc(POOL, sizeof *peer->spare);
    while (peer->spares < POOL / 4) {
        struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
        if (!m)
            return NULL;
        m->pkt_len = m->data_len = length;
        peer->spare[peer->spares++] = m;
    }
    return peer;
}

static void put(sched_peer *peer, const uint32_t *picks, uint32_t mask, uint64_t from)
{
    struct rte_mbuf *burst[BURST];
    for (int i = 0; i < BURST; i++) {
        uint32_t pick = picks[(from + (uint64_t)i) & mask];
        struct rte_mbuf *m = peer->spare[--peer->spares];
        rte_sched_port_pkt_write(peer->port, m, pick >> peer->pipe_bits, pick & (peer->pipes - 1), RTE_SCHED_TRAFFIC_CLASS_BE, 0, RTE_COLOR_GREEN);
        burst[i] = m;
    }
    int taken = rte_sched_port_enqueue(peer->port, burst, BURST);
    peer->queued += (uint32_t)taken;
    /* The scheduler has freed the packets that it refused, so as many are taken from the pool again. */
    for (int i = taken; i < BURST; i++) {
        struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
        m->pkt_len = m->data_len = peer->length;
        peer->spare[peer->spares++] = m;
    }
}

double sched_peer_run(sched_peer *peer, const uint32_t *picks, uint32_t mask, uint64_t packets, uint32_t standing)
{
    struct rte_mbuf *burst[BURST];
    uint64_t at = 0, sent = 0;
    while (peer->queued < standing)
        put(peer, picks, mask, at += BURST);
    uint64_t begin = sched_peer_now();
    while (sent < packets) {
        if (peer->queued <= standing)
            put(peer, picks, mask, at += BURST);
        int count = rte_sched_port_dequeue(peer->port, burst, BURST);
        for (int i = 0; i < count; i++)
            peer->spare[peer->spares++] = burst[i];
        peer->queued -= (uint32_t)count;
        sent += (uint64_t)count;
    }
    return (double)(sched_peer_now() - begin) / (double)sent;
}
