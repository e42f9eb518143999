// Pairs of DPDK ring devices whose rings are crossed: what one device sends, the other receives. Uses only DPDK's public interface.
#ifndef RING_PORTS_H
#define RING_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Creates the devices net_ring_A and net_ring_B with `queues` queue pairs, whose rings have `frames` slots (a power of two). EAL must be running. Returns 0 or
/// a negative errno.
int ring_ports_create(const char *a, const char *b, unsigned queues, unsigned frames);

/// Puts a frame, in a buffer of the pool "frames", into a receive queue of net_ring_NAME. Returns 0 or a negative errno: -ENOBUFS if the ring is full, -ENOMEM
/// if the pool is empty.
int ring_ports_put(const char *name, unsigned queue, const uint8_t *bytes, uint16_t length);

/// What was counted while `packets` packets were received. Packets before the beginning and after the end of the count are not included.
typedef struct {
    uint64_t packets;
    /// Calls of malloc, calloc, realloc, memalign, posix_memalign, aligned_alloc and valloc (`allocations`) and of free (`frees`) by the thread that received
    /// the packets.
    uint64_t allocations;
    uint64_t frees;
} ring_ports_count;

/// Counts what happens while a poll loop receives from net_ring_FIRST and net_ring_SECOND, which it polls in this order and alone: from a poll of FIRST after
/// at least `warm_up` packets of both, to one after at least `packets` more. There can be only one count in a process. `deliberate` is the number of times that
/// memory is allocated and freed on purpose during the count, to show that this is found. Returns 0 or a negative errno.
int ring_ports_count_begin(const char *first, const char *second, uint64_t warm_up, uint64_t packets, unsigned deliberate);
/// Whether the count has ended; if so, `result` is set.
bool ring_ports_counted(ring_ports_count *result);

/// These are called at the beginning and the end of the count, for profilers that act on the name of a function (callgrind's --zero-before and --dump-before).
void ring_ports_count_begins(void);
void ring_ports_count_ends(void);

/// Watches how the loops of net_ring_NAME follow pauses of one priority (802.1Qbb): from the return of the burst that brings such a frame to the last frame
/// of the priority that is given to the device. Returns 0 or a negative errno.
int ring_ports_watch_pauses(const char *name, unsigned priority);
/// How many frames that pause the priority, or end a pause, have been received.
unsigned ring_ports_pauses_seen(void);
/// How many frames of the priority were given to the device in the present pause, and the cycles from its beginning to the last of these.
uint64_t ring_ports_late(uint64_t *cycles);
/// How many frames of any priority were given to the device.
uint64_t ring_ports_sent(unsigned priority);

#endif
