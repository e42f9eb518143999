#include <rte_config.h>
#include "DPDKShim.h"
#include <rte_errno.h>
#include <rte_ip.h>
#include <rte_mbuf_dyn.h>
#include <rte_tcp.h>
#include <rte_udp.h>

void sluice_frame_free(struct rte_mbuf *m) { rte_pktmbuf_free(m); }
void sluice_frames_free(struct rte_mbuf **frames, unsigned count) { rte_pktmbuf_free_bulk(frames, count); }

/* Whether the buffer may go back to the pool directly: one segment, one reference, not attached to another buffer, and of this pool. All of that is in the
 * first cache line. */
static inline bool is_plain(const struct rte_mbuf *m, const struct rte_mempool *pool) {
    return m->nb_segs == 1 && rte_mbuf_refcnt_read(m) == 1 && RTE_MBUF_DIRECT(m) && m->pool == pool;
}

void sluice_frames_return(struct rte_mbuf **frames, unsigned count, struct rte_mempool *pool) {
    unsigned first = 0;
    for (unsigned i = 0; i < count; i++) {
        if (likely(is_plain(frames[i], pool))) continue;
        if (i != first) rte_mempool_put_bulk(pool, (void **)(frames + first), i - first);
        rte_pktmbuf_free(frames[i]);
        first = i + 1;
    }
    if (count != first) rte_mempool_put_bulk(pool, (void **)(frames + first), count - first);
}

int sluice_frame_claim_flag(void) {
    static const struct rte_mbuf_dynflag flag = { .name = "sluice_partial" };
    static const struct rte_mbuf_dynflag scattered = { .name = "sluice_scattered" };
    return rte_mbuf_dynflag_register_bitnum(&flag, 40) == 40 && rte_mbuf_dynflag_register_bitnum(&scattered, 39) == 39 ? 0 : -rte_errno;
}

void sluice_frame_refer_to_parts(
    struct rte_mbuf *m, uint16_t front, uint32_t length, const struct sluice_part *parts, unsigned count, size_t skipped) {
    struct sluice_part_list *list = RTE_PTR_ALIGN_CEIL(rte_pktmbuf_mtod_offset(m, void *, front), 16);
    list->count = count;
    memcpy(list->parts, parts, count * sizeof *parts);
    list->parts[0].bytes = (const char *)list->parts[0].bytes + skipped;
    list->parts[0].count -= skipped;
    sluice_frame_refer(m, front, length, list);
    m->ol_flags |= sluice_flag_scattered;
    /* Freeing a buffer sets this to 1 again. */
    m->nb_segs = 2;
}

static __attribute__((noinline)) int complete_scattered(struct rte_mbuf *m) {
    uint32_t left = m->pkt_len - m->data_len, room = rte_pktmbuf_tailroom(m);
    struct rte_mbuf *more = NULL, *last = NULL;
    unsigned segments = 1;
    for (uint32_t needed = left > room ? left - room : 0; needed > 0; segments++) {
        struct rte_mbuf *next = rte_pktmbuf_alloc(m->pool);
        if (!next) {
            rte_pktmbuf_free(more);
            return -1;
        }
        next->data_len = RTE_MIN(needed, rte_pktmbuf_tailroom(next));
        needed -= next->data_len;
        if (last) last->next = next; else more = next;
        last = next;
    }
    /* The frame's bytes take the place of the list. */
    const struct sluice_part_list *list = sluice_frame_parts(m);
    struct sluice_part parts[SLUICE_MOST_PARTS];
    memcpy(parts, list->parts, list->count * sizeof *parts);
    char *to = rte_pktmbuf_mtod_offset(m, char *, m->data_len);
    const struct sluice_part *part = parts;
    struct rte_mbuf *next = more;
    room = RTE_MIN(room, left);
    m->data_len += room;
    size_t taken = 0;
    while (left > 0) {
        if (room == 0) {
            to = rte_pktmbuf_mtod(next, char *);
            room = next->data_len;
            next = next->next;
        }
        size_t count = RTE_MIN(part->count - taken, (size_t)room);
        memcpy(to, (const char *)part->bytes + taken, count);
        to += count;
        room -= count;
        left -= count;
        taken += count;
        if (taken == part->count) { part++; taken = 0; }
    }
    m->next = more;
    m->nb_segs = segments;
    m->ol_flags &= ~(sluice_flag_partial | sluice_flag_scattered);
    return 0;
}

int sluice_frame_complete(struct rte_mbuf *m) {
    if (!sluice_frame_is_partial(m)) return 0;
    if (unlikely(sluice_frame_is_scattered(m))) return complete_scattered(m);
    memcpy(rte_pktmbuf_mtod_offset(m, char *, m->data_len), sluice_frame_rest(m), m->pkt_len - m->data_len);
    m->data_len = m->pkt_len;
    m->ol_flags &= ~sluice_flag_partial;
    return 0;
}

void sluice_frames_complete(struct rte_mbuf **frames, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        if (!sluice_frame_is_scattered(frames[i])) sluice_frame_complete(frames[i]);
}

struct rte_mbuf *sluice_frame_clone(struct rte_mbuf *m, struct rte_mempool *pool) {
    if (sluice_frame_complete(m) != 0) return NULL;
    return rte_pktmbuf_clone(m, pool);
}
struct rte_mbuf *sluice_frame_copy(struct rte_mbuf *m, struct rte_mempool *pool) {
    if (sluice_frame_complete(m) != 0) return NULL;
    return rte_pktmbuf_copy(m, pool, 0, UINT32_MAX);
}
void sluice_frame_read(const struct rte_mbuf *m, void *bytes) {
    const void *start = rte_pktmbuf_read(m, 0, m->pkt_len, bytes);
    /* A frame that is in one segment has not been copied by rte_pktmbuf_read. */
    if (start && start != bytes) memcpy(bytes, start, m->pkt_len);
}
struct rte_mbuf *sluice_frame_allocate(struct rte_mempool *pool, uint16_t length) {
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
    if (m && !rte_pktmbuf_append(m, length)) { rte_pktmbuf_free(m); return NULL; }
    return m;
}
int sluice_frames_allocate(struct rte_mempool *pool, struct rte_mbuf **frames, unsigned count) {
    return rte_pktmbuf_alloc_bulk(pool, frames, count);
}

int sluice_buffers_take(struct rte_mempool *pool, struct rte_mbuf **buffers, unsigned count) {
    return rte_mempool_get_bulk(pool, (void **)buffers, count);
}

void sluice_buffers_give_back(struct rte_mempool *pool, struct rte_mbuf **buffers, unsigned count) {
    rte_mempool_put_bulk(pool, (void **)buffers, count);
}

void sluice_frame_cut(struct rte_mbuf *m) {
    rte_pktmbuf_free(m->next);
    m->next = NULL;
    m->nb_segs = 1;
    m->data_len = 0;
    m->pkt_len = 0;
}

int sluice_frame_finish_checksum(struct rte_mbuf *m, uint32_t start, uint32_t field) {
    uint16_t sum = 0;
    if (sluice_frame_complete(m) != 0) return -1;
    if (field + sizeof sum > m->data_len || start > field || rte_raw_cksum_mbuf(m, start, m->pkt_len - start, &sum) < 0) return -1;
    /* No checksum of the Internet's protocols is sent as 0 where 0xffff, which is the same number, will do: in UDP, 0 means that there is none. */
    sum = ~sum ? ~sum : 0xffff;
    memcpy(rte_pktmbuf_mtod_offset(m, char *, field), &sum, sizeof sum);
    return 0;
}

int sluice_frame_finish_checksums(struct rte_mbuf *m) {
    if (sluice_frame_complete(m) != 0) return -1;
    uint64_t flags = m->ol_flags;
    uint64_t l4 = flags & RTE_MBUF_F_TX_L4_MASK;
    uint32_t headers = (uint32_t)m->l2_len + m->l3_len;
    if (m->l3_len < sizeof(struct rte_ipv4_hdr) || headers > m->data_len) return -1;
    void *l3 = rte_pktmbuf_mtod_offset(m, void *, m->l2_len);
    if (flags & RTE_MBUF_F_TX_IPV4) {
        struct rte_ipv4_hdr *ip = l3;
        /* These lengths come from a guest: the headers must fit, and the frame must be at least as long as they say. */
        if (rte_ipv4_hdr_len(ip) > m->l3_len || m->pkt_len - m->l2_len < rte_be_to_cpu_16(ip->total_length)) return -1;
        if (flags & RTE_MBUF_F_TX_IP_CKSUM) { ip->hdr_checksum = 0; ip->hdr_checksum = rte_ipv4_cksum(ip); }
    } else if (flags & RTE_MBUF_F_TX_IPV6) {
        const struct rte_ipv6_hdr *ip = l3;
        if (m->l3_len < sizeof(*ip) || m->pkt_len - m->l2_len - sizeof(*ip) < rte_be_to_cpu_16(ip->payload_len)) return -1;
    }
    uint16_t offset;
    if (l4 == RTE_MBUF_F_TX_TCP_CKSUM) offset = offsetof(struct rte_tcp_hdr, cksum);
    else if (l4 == RTE_MBUF_F_TX_UDP_CKSUM) offset = offsetof(struct rte_udp_hdr, dgram_cksum);
    else { m->ol_flags = flags & ~RTE_MBUF_F_TX_IP_CKSUM; return 0; }
    if (headers + offset + sizeof(uint16_t) > m->data_len) return -1;
    /* virtio leaves the sum of the pseudo-header in the field, so the checksum over the whole segment completes it. */
    uint16_t sum = 0;
    uint16_t *field = rte_pktmbuf_mtod_offset(m, uint16_t *, headers + offset);
    if (rte_raw_cksum_mbuf(m, headers, m->pkt_len - headers, &sum) < 0) return -1;
    sum = ~sum;
    if (sum == 0 && l4 == RTE_MBUF_F_TX_UDP_CKSUM) sum = 0xffff;
    *field = sum;
    m->ol_flags = flags & ~(RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_IP_CKSUM);
    return 0;
}
