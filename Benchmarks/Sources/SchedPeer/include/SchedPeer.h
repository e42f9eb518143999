#ifndef SCHED_PEER_H
#define SCHED_PEER_H

#include <stdint.h>

/* A librte_sched port whose best-effort queues stand for classes. NULL: it could not be made. */
typedef struct sched_peer sched_peer;

sched_peer *sched_peer_create(uint32_t classes, uint64_t bytes_per_second, uint32_t length);

/* Queues and sends `packets` packets in bursts of 32 to the classes that `picks` (a power of two of them) names in turn, with `standing`
 * packets queued throughout. Returns ns per packet sent. */
double sched_peer_run(sched_peer *peer, const uint32_t *picks, uint32_t pick_mask, uint64_t packets, uint32_t standing);

/* Fetches a cache line without waiting for it. */
static inline __attribute__((always_inline)) void sched_peer_prefetch(const void *line) { __builtin_prefetch(line); }

/* A clock for both sides. */
uint64_t sched_peer_now(void);

#endif
