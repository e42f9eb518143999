// Accessors for struct rte_mbuf, which is aligned to 64 bytes and so is imported into Swift as an opaque pointer.
#ifndef SLUICE_SHIM_FRAME_H
#define SLUICE_SHIM_FRAME_H

#include "shim_base.h"
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>
#include <string.h>

SLUICE_INLINE void *sluice_frame_bytes(struct rte_mbuf *m) { return rte_pktmbuf_mtod(m, void *); }
/// Number of bytes in the first segment.
SLUICE_INLINE uint16_t sluice_frame_contiguous(const struct rte_mbuf *m) { return m->data_len; }
/// Number of bytes in all segments.
SLUICE_INLINE uint32_t sluice_frame_length(const struct rte_mbuf *m) { return m->pkt_len; }
SLUICE_INLINE uint16_t sluice_frame_segments(const struct rte_mbuf *m) { return m->nb_segs; }
SLUICE_INLINE uint64_t sluice_frame_flags(const struct rte_mbuf *m) { return m->ol_flags; }
SLUICE_INLINE uint16_t sluice_frame_tci(const struct rte_mbuf *m) { return m->vlan_tci; }
SLUICE_INLINE bool sluice_frame_is_writable(const struct rte_mbuf *m) {
    return RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1;
}
/// Whether the frame is a single segment in a buffer of its own: neither a chain nor a clone of another frame.
SLUICE_INLINE bool sluice_frame_is_flat(const struct rte_mbuf *m) { return RTE_MBUF_DIRECT(m) && m->nb_segs == 1; }
/// Number of bytes of a frame that fit into one buffer of a pool.
SLUICE_INLINE uint32_t sluice_pool_room(struct rte_mempool *pool) { return rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM; }
SLUICE_INLINE void sluice_prefetch(const void *p) { rte_prefetch0(p); }
SLUICE_INLINE void sluice_prefetch_for_writing(const void *p) {
#ifdef __x86_64__
    /* For the oldest processors of this kind the compiler would choose a prefetch for reading, which leaves the line with the other processor that writes it. */
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)p));
#else
    __builtin_prefetch(p, 1);
#endif
}
/// Prefetches the first cache line of the frame's data (reads the mbuf's header).
SLUICE_INLINE void sluice_prefetch_bytes(struct rte_mbuf *m) { rte_prefetch0(rte_pktmbuf_mtod(m, void *)); }

SLUICE_INLINE void sluice_copy(void *to, const void *from, size_t bytes) { memcpy(to, from, bytes); }

SLUICE_HOT void sluice_frame_free(struct rte_mbuf *m);
SLUICE_HOT void sluice_frames_free(struct rte_mbuf **frames, unsigned count);
/// Frees frames that mostly are whole, unshared buffers of `pool`; consecutive ones go back to the pool together.
SLUICE_HOT void sluice_frames_return(struct rte_mbuf **frames, unsigned count, struct rte_mempool *pool);
/// A second reference to the same bytes; NULL if the pool is empty. The bytes must not be written through it.
SLUICE_HOT struct rte_mbuf *sluice_frame_clone(struct rte_mbuf *m, struct rte_mempool *pool);
/// A copy of the bytes and of the offload fields; NULL if the pool is empty.
SLUICE_HOT struct rte_mbuf *sluice_frame_copy(struct rte_mbuf *m, struct rte_mempool *pool);
/// Copies all bytes of all segments to `bytes`. The frame must be whole.
SLUICE_HOT void sluice_frame_read(const struct rte_mbuf *m, void *bytes);
/// A frame of `length` bytes with undefined content in one segment; NULL if the pool is empty or the bytes do not fit.
SLUICE_HOT struct rte_mbuf *sluice_frame_allocate(struct rte_mempool *pool, uint16_t length);
SLUICE_HOT int sluice_frames_allocate(struct rte_mempool *pool, struct rte_mbuf **frames, unsigned count);
/// Takes buffers of a pool that are no frames yet: `sluice_frame_begin` makes one of each. Returns 0, or a negative errno if there are not so many.
SLUICE_HOT int sluice_buffers_take(struct rte_mempool *pool, struct rte_mbuf **buffers, unsigned count);
/// Gives back those that became no frames.
SLUICE_HOT void sluice_buffers_give_back(struct rte_mempool *pool, struct rte_mbuf **buffers, unsigned count);
/// Makes an empty frame without offload flags of a buffer. Nothing else is written, as a buffer in a pool is a single segment that nobody else refers to, and the
/// other fields count only if flags say so.
SLUICE_INLINE void sluice_frame_begin(struct rte_mbuf *m) {
    m->data_off = RTE_PKTMBUF_HEADROOM;
    m->ol_flags = 0;
}
/// Sets a frame's length after writing its bytes (one segment).
SLUICE_INLINE void sluice_frame_set_length(struct rte_mbuf *m, uint16_t length) { m->data_len = length; m->pkt_len = length; }

/// Extends the frame by `bytes` at the front and returns its new start; NULL if there is too little headroom. The offsets of offload requests are adjusted, so
/// that they refer to the same headers as before.
SLUICE_INLINE void *sluice_frame_grow_front(struct rte_mbuf *m, uint16_t bytes) {
    void *start = rte_pktmbuf_prepend(m, bytes);
    if (unlikely(start && (m->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK))) m->l2_len += bytes;
    return start;
}
/// Removes `bytes` from the front of the frame; the first segment must be longer than that.
SLUICE_INLINE void sluice_frame_trim_front(struct rte_mbuf *m, uint16_t bytes) {
    m->data_off += bytes;
    m->data_len -= bytes;
    m->pkt_len -= bytes;
    if (unlikely(m->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK)) m->l2_len -= bytes;
}

/// A frame of which only the front is in its buffer, while the rest is still where it came from: `sluice_frame_contiguous` of its `sluice_frame_length` bytes are
/// there. The place of the rest stands in the field for hashes, in which captures note something about frames that are whole.
static const uint64_t sluice_flag_partial = 1ULL << 40;
/// Has DPDK give this flag to nobody else. Returns 0 or a negative errno.
int sluice_frame_claim_flag(void);
SLUICE_INLINE bool sluice_frame_is_partial(const struct rte_mbuf *m) { return m->ol_flags & sluice_flag_partial; }
SLUICE_INLINE void sluice_frame_refer(struct rte_mbuf *m, uint16_t front, uint32_t length, const void *rest) {
    m->data_len = front;
    m->pkt_len = length;
    m->ol_flags |= sluice_flag_partial;
    memcpy(&m->hash, &rest, sizeof rest);
}
SLUICE_INLINE const void *sluice_frame_rest(const struct rte_mbuf *m) {
    const void *rest;
    memcpy(&rest, &m->hash, sizeof rest);
    return rest;
}
/// The same, but the rest is in several places, and longer than the frame's buffer has room for. The list of these places stands in that buffer, behind the
/// front; its own place stands in the field for hashes. Such a frame counts as one of several segments, as others do that are not in one buffer.
static const uint64_t sluice_flag_scattered = 1ULL << 39;
SLUICE_INLINE bool sluice_frame_is_scattered(const struct rte_mbuf *m) { return m->ol_flags & sluice_flag_scattered; }
/// A part of a frame that is elsewhere.
struct sluice_part { const void *bytes; size_t count; };
struct sluice_part_list { size_t count; size_t unused; struct sluice_part parts[]; };
/// The most parts.
#define SLUICE_MOST_PARTS 64
/// What a buffer must have room for behind the front: the list, and what aligning it takes.
static const uint32_t sluice_part_list_room = sizeof(struct sluice_part_list) + SLUICE_MOST_PARTS * sizeof(struct sluice_part) + 16;
SLUICE_INLINE const struct sluice_part_list *sluice_frame_parts(const struct rte_mbuf *m) {
    return (const struct sluice_part_list *)sluice_frame_rest(m);
}
/// Makes a frame refer to its parts, of which the first `skipped` bytes are not part of the rest. There are 1 to SLUICE_MOST_PARTS.
SLUICE_HOT void sluice_frame_refer_to_parts(
    struct rte_mbuf *m, uint16_t front, uint32_t length, const struct sluice_part *parts, unsigned count, size_t skipped);
/// Copies the rest of such a frame into its buffer, which has room for it, or that of a scattered one into as many more buffers of the same pool as it takes.
/// Other frames stay as they are. Returns 0, or -1 if there are too few buffers: the frame is as before then, and may not outlive the turn.
SLUICE_HOT int sluice_frame_complete(struct rte_mbuf *m);
/// Does so with all frames but scattered ones.
SLUICE_HOT void sluice_frames_complete(struct rte_mbuf **frames, unsigned count);

/// The next segment of the frame that this segment is part of; NULL: it is the last.
SLUICE_INLINE struct rte_mbuf *sluice_frame_next(const struct rte_mbuf *m) { return m->next; }
/// Appends a segment behind a frame's `last` one.
SLUICE_INLINE void sluice_frame_append(struct rte_mbuf *m, struct rte_mbuf *last, struct rte_mbuf *more) {
    last->next = more;
    m->nb_segs++;
    m->pkt_len += more->data_len;
}
/// Frees all segments of a frame but the first, which is empty then.
SLUICE_HOT void sluice_frame_cut(struct rte_mbuf *m);

/// Requests checksums of whoever sends the frame on: flags, and the lengths of the headers up to layer 3 and of layer 3.
SLUICE_INLINE void sluice_frame_request(struct rte_mbuf *m, uint64_t flags, uint16_t l2, uint16_t l3) {
    m->ol_flags |= flags;
    m->tx_offload = 0;
    m->l2_len = l2;
    m->l3_len = l3;
}
/// The most segments of a frame, which bounds the work that it makes.
#define SLUICE_MOST_SEGMENTS 1024
/// Requests that whoever sends the frame on cuts it into segments of `size` bytes of data, and finishes their checksums: `l4` is the length of the TCP or UDP
/// header. The flags say which of both it is: one of `sluice_flag_tx_tcp_segments` and `sluice_flag_tx_udp_segments`, with that for the checksum.
SLUICE_INLINE void sluice_frame_request_segments(struct rte_mbuf *m, uint64_t flags, uint16_t l2, uint16_t l3, uint16_t l4, uint16_t size) {
    sluice_frame_request(m, flags, l2, l3);
    m->l4_len = l4;
    m->tso_segsz = size;
}
SLUICE_INLINE uint16_t sluice_frame_l2_length(const struct rte_mbuf *m) { return m->l2_len; }
SLUICE_INLINE uint16_t sluice_frame_l4_length(const struct rte_mbuf *m) { return m->l4_len; }
SLUICE_INLINE uint16_t sluice_frame_segment_size(const struct rte_mbuf *m) { return m->tso_segsz; }
/// How far from a frame's start the headers reach that come before the checksummed part.
SLUICE_INLINE uint16_t sluice_frame_headers_length(const struct rte_mbuf *m) { return m->l2_len + m->l3_len; }
/// Finishes a checksum over everything from `start` on, whose place is at `field` and holds the sum to begin with. The frame's bytes must be its own, and these
/// must be within it. Returns 0, or -1 if the field is not in the first segment.
SLUICE_HOT int sluice_frame_finish_checksum(struct rte_mbuf *m, uint32_t start, uint32_t field);

/// Computes in software the checksums that the offload flags request of the hardware (IPv4 header, TCP, UDP) and clears these flags. The frame must be
/// writable. Returns 0, or -1 if the headers contradict the flags.
SLUICE_HOT int sluice_frame_finish_checksums(struct rte_mbuf *m);

/// Offload flags. In DPDK they are macros over shifted constants, which Swift does not import.
static const uint64_t sluice_flag_rx_vlan_stripped = RTE_MBUF_F_RX_VLAN_STRIPPED;
static const uint64_t sluice_flag_tx_offload_mask = RTE_MBUF_F_TX_OFFLOAD_MASK;
static const uint64_t sluice_flag_tx_l4_mask = RTE_MBUF_F_TX_L4_MASK;
static const uint64_t sluice_flag_tx_tcp_checksum = RTE_MBUF_F_TX_TCP_CKSUM;
static const uint64_t sluice_flag_tx_udp_checksum = RTE_MBUF_F_TX_UDP_CKSUM;
static const uint64_t sluice_flag_tx_tcp_segments = RTE_MBUF_F_TX_TCP_SEG;
static const uint64_t sluice_flag_tx_udp_segments = RTE_MBUF_F_TX_UDP_SEG;
/// Either of them: the frame is to be cut.
static const uint64_t sluice_flag_tx_segments = RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG;
static const uint64_t sluice_flag_tx_ipv4 = RTE_MBUF_F_TX_IPV4;
static const uint64_t sluice_flag_tx_ipv6 = RTE_MBUF_F_TX_IPV6;

#endif
