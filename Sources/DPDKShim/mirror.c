#include <rte_config.h>
#include "DPDKShim.h"

static void shorten(struct rte_mbuf *m, uint32_t length) {
    struct rte_mbuf *last = m;
    uint32_t left = length;
    uint16_t segments = 1;
    for (; last->data_len < left; last = last->next, segments++) left -= last->data_len;
    last->data_len = (uint16_t)left;
    for (struct rte_mbuf *rest = last->next, *next; rest; rest = next) {
        next = rest->next;
        rte_pktmbuf_free_seg(rest);
    }
    last->next = NULL;
    m->nb_segs = segments;
    m->pkt_len = length;
}

struct rte_mbuf *sluice_frame_excerpt(struct rte_mbuf *m, struct rte_mempool *pool, uint32_t length) {
    const bool is_unfinished = m->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK;
    /* A checksum covers the whole frame, so a frame with unfinished checksums has to be copied whole and shortened afterwards. */
    struct rte_mbuf *copy = rte_pktmbuf_copy(m, pool, 0, is_unfinished ? UINT32_MAX : length);
    if (unlikely(!copy)) return NULL;
    if (is_unfinished) {
        sluice_frame_finish_checksums(copy);
        if (copy->pkt_len > length) shorten(copy, length);
    }
    copy->ol_flags = 0;
    copy->tx_offload = 0;
    copy->vlan_tci = 0;
    return copy;
}

bool sluice_pool_is_low(struct rte_mempool *pool) { return rte_mempool_get_ops(pool->ops_index)->get_count(pool) < pool->size / 8; }
