#include <rte_config.h>
#include "RingPorts.h"
#include "AllocationCount.h"
#include <errno.h>
#include <rte_ethdev.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* The thread that receives writes these; setting `ended` publishes them. */
static struct {
    uint64_t seen, warm_up, wanted, first;
    unsigned deliberate;
    bool begun;
    ring_ports_count result;
    atomic_bool ended;
} count;

__attribute__((noinline)) void ring_ports_count_begins(void) { __asm__ volatile("" ::: "memory"); }
__attribute__((noinline)) void ring_ports_count_ends(void) { __asm__ volatile("" ::: "memory"); }

static void begin(void) {
    count.begun = true;
    count.first = count.seen;
    allocation_count_begin();
    for (unsigned i = 0; i < count.deliberate; i++) {
        /* `volatile` keeps the optimiser from removing the pair of calls. */
        void *volatile memory = malloc(64);
        free(memory);
    }
    ring_ports_count_begins();
}

static void end(void) {
    ring_ports_count_ends();
    count.result.packets = count.seen - count.first;
    allocation_count_end(&count.result.allocations, &count.result.frees);
    atomic_store_explicit(&count.ended, true, memory_order_release);
}

/* Runs in the poll loop after each burst is received. When the first device is polled, all packets seen before have been handled completely. */
static uint16_t received(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t number, uint16_t most, void *is_first) {
    (void)port, (void)queue, (void)frames, (void)most;
    if (is_first) {
        bool ended = atomic_load_explicit(&count.ended, memory_order_relaxed);
        if (count.begun && !ended && count.seen >= count.first + count.wanted) end();
        if (!count.begun && count.seen >= count.warm_up) begin();
    }
    count.seen += number;
    return number;
}

static int watch(const char *name, void *is_first) {
    char device[RTE_ETH_NAME_MAX_LEN];
    uint16_t port;
    struct rte_eth_dev_info info;
    snprintf(device, sizeof device, "net_ring_%s", name);
    int result = rte_eth_dev_get_port_by_name(device, &port);
    if (result == 0) result = rte_eth_dev_info_get(port, &info);
    if (result != 0) return result;
    for (uint16_t queue = 0; queue < info.nb_rx_queues; queue++)
        if (!rte_eth_add_rx_callback(port, queue, received, is_first)) return -ENOMEM;
    return 0;
}

int ring_ports_count_begin(const char *first, const char *second, uint64_t warm_up, uint64_t packets, unsigned deliberate) {
    count.warm_up = warm_up;
    count.wanted = packets;
    count.deliberate = deliberate;
    int result = watch(second, NULL);
    return result == 0 ? watch(first, &count) : result;
}

bool ring_ports_counted(ring_ports_count *result) {
    if (!atomic_load_explicit(&count.ended, memory_order_acquire)) return false;
    *result = count.result;
    return true;
}
