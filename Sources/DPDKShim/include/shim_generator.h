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

// What a driver of a virtqueue and its device read and write while the other one does.
SLUICE_INLINE uint16_t sluice_load_acquire_16(const void *p) { return __atomic_load_n((const uint16_t *)p, __ATOMIC_ACQUIRE); }
SLUICE_INLINE uint64_t sluice_load_acquire_64(const void *p) { return __atomic_load_n((const uint64_t *)p, __ATOMIC_ACQUIRE); }
SLUICE_INLINE void sluice_store_release_16(void *p, uint16_t value) { __atomic_store_n((uint16_t *)p, value, __ATOMIC_RELEASE); }
SLUICE_INLINE void sluice_store_release_64(void *p, uint64_t value) { __atomic_store_n((uint64_t *)p, value, __ATOMIC_RELEASE); }
SLUICE_INLINE void sluice_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

/// Copies the first `count` bytes of a frame, whatever its segments, to `buffer`.
SLUICE_HOT void sluice_frame_gather(const struct rte_mbuf *m, uint32_t count, void *buffer);

/// Marks a frame as DPDK's virtio driver marks what it receives: its checksum is unfinished, and it is one of several TCP segments of `size` bytes of data,
/// unless that is 0.
SLUICE_INLINE void sluice_frame_mark_received(struct rte_mbuf *m, uint16_t size) {
    m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE | (size ? RTE_MBUF_F_RX_LRO : 0);
    m->tso_segsz = size;
}

/// rte_eal_init, callable with Swift's argument vector. Returns a negative number, with rte_errno set, on failure.
int sluice_generator_start_eal(int count, char **arguments);

/// Makes a file of `size` bytes that has no name, for memory that a guest shares with a switch: in `directory`, a hugetlbfs mount, or in ordinary memory if that
/// is NULL. Returns its descriptor or a negative errno. `page` is the size of its pages.
int sluice_generator_memory(const char *directory, size_t size, size_t *page);

/// Restricts the calling thread to one CPU. Returns 0 or a negative errno.
int sluice_generator_pin(int cpu);

#endif
