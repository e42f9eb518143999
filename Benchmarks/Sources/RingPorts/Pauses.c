#include <rte_config.h>
#include "RingPorts.h"
#include <errno.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { most_queues = 64 };

/* Any poll loop may write these. */
static struct {
    unsigned priority;
    atomic_uint seen;
    atomic_bool paused;
    _Atomic uint64_t began, last, late;
} pauses;

/* Frames of each priority, counted by the loop that has the queue. */
static struct {
    _Alignas(128) uint64_t frames[8];
} counts[most_queues];

/* What an untagged pause frame by priority says about the priority; -1: it is something else. */
static int quanta(const struct rte_mbuf *frame) {
    const uint8_t *bytes = rte_pktmbuf_mtod(frame, const uint8_t *);
    if (frame->data_len < 34 || bytes[12] != 0x88 || bytes[13] != 0x08 || bytes[14] != 1 || bytes[15] != 1) return -1;
    if (!(bytes[17] >> pauses.priority & 1)) return -1;
    return bytes[18 + 2 * pauses.priority] << 8 | bytes[19 + 2 * pauses.priority];
}

/* Runs in the poll loop when a burst has been received. */
static uint16_t received(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t number, uint16_t most, void *unused) {
    (void)port, (void)queue, (void)most, (void)unused;
    for (uint16_t i = 0; i < number; i++) {
        const int wanted = quanta(frames[i]);
        if (wanted < 0) continue;
        const bool paused = atomic_load_explicit(&pauses.paused, memory_order_relaxed);
        if (wanted != 0 && !paused) {
            atomic_store_explicit(&pauses.last, 0, memory_order_relaxed);
            atomic_store_explicit(&pauses.late, 0, memory_order_relaxed);
            atomic_store_explicit(&pauses.began, rte_rdtsc(), memory_order_relaxed);
            atomic_store_explicit(&pauses.paused, true, memory_order_release);
        } else if (wanted == 0 && paused) {
            atomic_store_explicit(&pauses.paused, false, memory_order_release);
        }
        atomic_fetch_add_explicit(&pauses.seen, 1, memory_order_release);
    }
    return number;
}

/* Runs in the poll loop when it gives a burst to the device. */
static uint16_t sent(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t number, void *unused) {
    (void)port, (void)unused;
    /* What leaves after 3 ms may be sent: a pause frame lasts for 3.36 ms at the 10 Gbit/s that such a device says it has, and the next may be late. */
    const uint64_t now = rte_rdtsc();
    const bool paused = atomic_load_explicit(&pauses.paused, memory_order_acquire)
        && now - atomic_load_explicit(&pauses.began, memory_order_relaxed) < rte_get_tsc_hz() * 3 / 1000;
    unsigned late = 0;
    for (uint16_t i = 0; i < number; i++) {
        const uint8_t *bytes = rte_pktmbuf_mtod(frames[i], const uint8_t *);
        if (bytes[12] != 0x81 || bytes[13] != 0) continue;
        const unsigned priority = bytes[14] >> 5;
        counts[queue].frames[priority]++;
        late += paused && priority == pauses.priority;
    }
    if (late) {
        atomic_fetch_add_explicit(&pauses.late, late, memory_order_relaxed);
        atomic_store_explicit(&pauses.last, now, memory_order_relaxed);
    }
    return number;
}

int ring_ports_watch_pauses(const char *name, unsigned priority) {
    char device[RTE_ETH_NAME_MAX_LEN];
    uint16_t port;
    struct rte_eth_dev_info info;
    snprintf(device, sizeof device, "net_ring_%s", name);
    pauses.priority = priority & 7;
    int result = rte_eth_dev_get_port_by_name(device, &port);
    if (result == 0) result = rte_eth_dev_info_get(port, &info);
    if (result != 0) return result;
    if (info.nb_tx_queues > most_queues) return -E2BIG;
    for (uint16_t queue = 0; queue < info.nb_rx_queues; queue++)
        if (!rte_eth_add_rx_callback(port, queue, received, NULL)) return -ENOMEM;
    for (uint16_t queue = 0; queue < info.nb_tx_queues; queue++)
        if (!rte_eth_add_tx_callback(port, queue, sent, NULL)) return -ENOMEM;
    return 0;
}

unsigned ring_ports_pauses_seen(void) { return atomic_load_explicit(&pauses.seen, memory_order_acquire); }

uint64_t ring_ports_late(uint64_t *cycles) {
    const uint64_t last = atomic_load_explicit(&pauses.last, memory_order_relaxed), began = atomic_load_explicit(&pauses.began, memory_order_relaxed);
    *cycles = last > began ? last - began : 0;
    return atomic_load_explicit(&pauses.late, memory_order_relaxed);
}

uint64_t ring_ports_sent(unsigned priority) {
    uint64_t sum = 0;
    for (unsigned queue = 0; queue < most_queues; queue++) sum += *(volatile uint64_t *)&counts[queue].frames[priority & 7];
    return sum;
}
