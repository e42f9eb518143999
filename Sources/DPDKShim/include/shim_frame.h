// Accessors of struct rte_mbuf, which is aligned to 64 bytes and so arrives in Swift as an opaque pointer.
#ifndef SLUICE_SHIM_FRAME_H
#define SLUICE_SHIM_FRAME_H

#include "shim_base.h"
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>
#include <string.h>

SLUICE_INLINE void *sluice_frame_bytes(struct rte_mbuf *m) { return rte_pktmbuf_mtod(m, void *); }
/// Bytes in the first segment.
SLUICE_INLINE uint16_t sluice_frame_contiguous(const struct rte_mbuf *m) { return m->data_len; }
/// Bytes in all segments.
SLUICE_INLINE uint32_t sluice_frame_length(const struct rte_mbuf *m) { return m->pkt_len; }
SLUICE_INLINE uint16_t sluice_frame_segments(const struct rte_mbuf *m) { return m->nb_segs; }
SLUICE_INLINE uint64_t sluice_frame_flags(const struct rte_mbuf *m) { return m->ol_flags; }
SLUICE_INLINE uint16_t sluice_frame_tci(const struct rte_mbuf *m) { return m->vlan_tci; }
SLUICE_INLINE bool sluice_frame_is_writable(const struct rte_mbuf *m) {
    return RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1;
}
/// One buffer that belongs to no other frame's: neither a clone nor a chain.
SLUICE_INLINE bool sluice_frame_is_flat(const struct rte_mbuf *m) { return RTE_MBUF_DIRECT(m) && m->nb_segs == 1; }
/// Bytes of a frame that one buffer of a pool holds.
SLUICE_INLINE uint32_t sluice_pool_room(struct rte_mempool *pool) { return rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM; }
SLUICE_INLINE void sluice_prefetch(const void *p) { rte_prefetch0(p); }
/// Prefetches the first cache line of the frame's data (reads the mbuf's header).
SLUICE_INLINE void sluice_prefetch_bytes(struct rte_mbuf *m) { rte_prefetch0(rte_pktmbuf_mtod(m, void *)); }

SLUICE_INLINE void sluice_copy(void *to, const void *from, size_t bytes) { memcpy(to, from, bytes); }

SLUICE_HOT void sluice_frame_free(struct rte_mbuf *m);
SLUICE_HOT void sluice_frames_free(struct rte_mbuf **frames, unsigned count);
/// The same for frames that mostly are whole, unshared buffers of `pool`: those go back in one piece.
SLUICE_HOT void sluice_frames_return(struct rte_mbuf **frames, unsigned count, struct rte_mempool *pool);
/// A second reference to the same bytes; NULL when the pool is empty. The bytes must not be written through it.
SLUICE_HOT struct rte_mbuf *sluice_frame_clone(struct rte_mbuf *m, struct rte_mempool *pool);
/// A copy of the bytes and of the offload fields; NULL when the pool is empty.
SLUICE_HOT struct rte_mbuf *sluice_frame_copy(struct rte_mbuf *m, struct rte_mempool *pool);
/// Copies all bytes of all segments to `bytes`.
SLUICE_HOT void sluice_frame_read(const struct rte_mbuf *m, void *bytes);
/// An empty frame of `length` bytes in one segment; NULL when the pool is empty or the bytes do not fit.
SLUICE_HOT struct rte_mbuf *sluice_frame_allocate(struct rte_mempool *pool, uint16_t length);
SLUICE_HOT int sluice_frames_allocate(struct rte_mempool *pool, struct rte_mbuf **frames, unsigned count);
/// Sets a frame's length after writing its bytes (one segment).
SLUICE_INLINE void sluice_frame_set_length(struct rte_mbuf *m, uint16_t length) { m->data_len = length; m->pkt_len = length; }

/// Gives `bytes` more room in front of the frame and returns its new start; NULL where there is no headroom.
/// Offload requests go on to mean the same headers.
SLUICE_INLINE void *sluice_frame_grow_front(struct rte_mbuf *m, uint16_t bytes) {
    void *start = rte_pktmbuf_prepend(m, bytes);
    if (unlikely(start && (m->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK))) m->l2_len += bytes;
    return start;
}
/// Takes `bytes` off the front; the first segment holds more than that.
SLUICE_INLINE void sluice_frame_trim_front(struct rte_mbuf *m, uint16_t bytes) {
    m->data_off += bytes;
    m->data_len -= bytes;
    m->pkt_len -= bytes;
    if (unlikely(m->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK)) m->l2_len -= bytes;
}

/// Computes in software what the flags ask of the hardware (IPv4 header, TCP and UDP checksums) and clears the flags.
/// The frame must be writable. Returns 0, or -1 where headers do not hold what the flags say.
SLUICE_HOT int sluice_frame_finish_checksums(struct rte_mbuf *m);

/// Offload flags, which are macros over shifted constants that Swift does not import.
static const uint64_t sluice_flag_rx_vlan_stripped = RTE_MBUF_F_RX_VLAN_STRIPPED;
static const uint64_t sluice_flag_tx_offload_mask = RTE_MBUF_F_TX_OFFLOAD_MASK;

#endif
