// What the traffic generator needs besides the data path's functions: comparison of whole frames, and frames of several segments.
#ifndef SLUICE_SHIM_GENERATOR_H
#define SLUICE_SHIM_GENERATOR_H

#include "shim_base.h"
#include <rte_memcpy.h>
#include <rte_mbuf.h>
#include <string.h>

SLUICE_INLINE void sluice_bytes_copy(void *to, const void *from, size_t count) { rte_memcpy(to, from, count); }
SLUICE_INLINE bool sluice_bytes_equal(const void *a, const void *b, size_t count) { return memcmp(a, b, count) == 0; }

/// Overwrites the 48 bytes behind a frame's addresses with `headers`, and then its first 16 bytes (addresses and the four bytes behind them) with `addresses`.
SLUICE_INLINE void sluice_frame_readdress(void *frame, const void *addresses, const void *headers) {
    memcpy((char *)frame + 12, headers, 48);
    memcpy(frame, addresses, 16);
}

/// Copies the first `count` bytes of a frame, whatever its segments, to `buffer`.
SLUICE_HOT void sluice_frame_gather(const struct rte_mbuf *m, uint32_t count, void *buffer);

/// rte_eal_init, callable with Swift's argument vector. Returns a negative number, with rte_errno set, on failure.
int sluice_generator_start_eal(int count, char **arguments);

/// Restricts the calling thread to one CPU. Returns 0 or a negative errno.
int sluice_generator_pin(int cpu);

#endif
