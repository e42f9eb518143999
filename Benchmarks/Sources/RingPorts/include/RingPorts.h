// Pairs of DPDK ring devices whose rings are crossed: what one sends, the other receives. On DPDK's public interface only.
#ifndef RING_PORTS_H
#define RING_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Makes the devices net_ring_A and net_ring_B, with `queues` queue pairs of rings of `frames` places (a power of two).
/// EAL must run. Returns 0 or a negative errno.
int ring_ports_create(const char *a, const char *b, unsigned queues, unsigned frames);

/// Puts a frame, in a buffer of the pool "frames", into a receive queue of net_ring_NAME.
/// Returns 0 or a negative errno: -ENOBUFS when the ring is full, -ENOMEM when the pool is empty.
int ring_ports_put(const char *name, unsigned queue, const uint8_t *bytes, uint16_t length);

/// What was counted while `packets` packets were received. The packets before the first and after the last count are not in it.
typedef struct {
    uint64_t packets;
    /// Calls of malloc, calloc, realloc, memalign, posix_memalign, aligned_alloc, valloc and of free, by the thread that received the packets.
    uint64_t allocations;
    uint64_t frees;
} ring_ports_count;

/// Counts what happens while a poll loop receives from net_ring_FIRST and net_ring_SECOND, which it polls in this order and alone: from a poll
/// of FIRST after at least `warm_up` packets of both, to one after at least `packets` more. At most one count in a process. `deliberate`:
/// allocate and free that many times within it, to show that they are found. Returns 0 or a negative errno.
int ring_ports_count_begin(const char *first, const char *second, uint64_t warm_up, uint64_t packets, unsigned deliberate);
/// Whether the count has ended; its result then.
bool ring_ports_counted(ring_ports_count *result);

/// Bracket the count, for profilers that act upon a function's name (callgrind's --zero-before and --dump-before).
void ring_ports_count_begins(void);
void ring_ports_count_ends(void);

#endif
