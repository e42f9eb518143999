#ifndef SCHED_PEER_H
#define SCHED_PEER_H

#include <stdint.h>

/* A librte_sched port whose best-effort queues stand for classes. `sched_peer_create` returns NULL if it cannot be created. */
typedef struct sched_peer sched_peer;

sched_peer *sched_peer_create(uint32_t classes, uint64_t bytes_per_second, uint32_t length);

/* Queues and sends `packets` packets in bursts of 32 to the classes that `picks` names in turn, while `standing` packets are queued all the time. The number of
 * picks is a power of two, and `pick_mask` is one less. Returns the nanoseconds per packet sent. */
double sched_peer_run(sched_peer *peer, const uint32_t *picks, uint32_t pick_mask, uint64_t packets, uint32_t standing);

/* Prefetches a cache line. */
static inline __attribute__((always_inline)) void sched_peer_prefetch(const void *line) { __builtin_prefetch(line); }

/* The clock in nanoseconds that both sides use. */
uint64_t sched_peer_now(void);

#endif
