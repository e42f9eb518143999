#include <rte_config.h>
#include "DPDKShim.h"
#include <linux/if_xdp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SOL_XDP
#define SOL_XDP 283
#endif

/* A ring as the kernel shares it with applications (Documentation/networking/af_xdp.rst). */
struct ring {
    void *map;
    size_t bytes;
    struct xdp_ring_offset offset;
    uint32_t entries;
    bool describes; /* struct xdp_desc; otherwise addresses alone */
};

static void map(struct ring *ring, int socket, const struct xdp_ring_offset *offset, uint32_t entries, bool describes, uint64_t place) {
    ring->offset = *offset;
    ring->entries = entries;
    ring->describes = describes;
    ring->bytes = offset->desc + entries * (describes ? sizeof(struct xdp_desc) : sizeof(uint64_t));
    ring->map = mmap(NULL, ring->bytes, PROT_READ, MAP_SHARED, socket, (off_t)place);
}

/* Frees the buffers between a ring's consumer and its producer index. Their addresses count from the start of the page in which the pool's memory begins.
 * */
static void empty(const struct ring *ring, struct rte_mempool *pool) {
    if (ring->map == MAP_FAILED) return;
    const uintptr_t start = (uintptr_t)STAILQ_FIRST(&pool->mem_list)->addr & ~((uintptr_t)getpagesize() - 1);
    const uint32_t last = *(const uint32_t *)((char *)ring->map + ring->offset.producer);
    const void *entries = (char *)ring->map + ring->offset.desc;
    for (uint32_t at = *(const uint32_t *)((char *)ring->map + ring->offset.consumer); at != last && last - at <= ring->entries; at++) {
        uint32_t place = at & (ring->entries - 1);
        uint64_t address = ring->describes ? ((const struct xdp_desc *)entries)[place].addr : ((const uint64_t *)entries)[place];
        rte_pktmbuf_free((struct rte_mbuf *)(start + (address & XSK_UNALIGNED_BUF_ADDR_MASK) + pool->header_size));
    }
    munmap(ring->map, ring->bytes);
}

struct sluice_xdp_rings { struct ring receive, transmit, fill, completion; int socket; };

struct sluice_xdp_rings *sluice_xdp_hold(int socket, uint16_t descriptors) {
    struct xdp_mmap_offsets offsets;
    socklen_t length = sizeof offsets;
    struct sluice_xdp_rings *rings = malloc(sizeof *rings);
    if (!rings || getsockopt(socket, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &length) != 0) { free(rings); return NULL; }
    rings->socket = socket;
    map(&rings->receive, socket, &offsets.rx, descriptors, true, XDP_PGOFF_RX_RING);
    map(&rings->transmit, socket, &offsets.tx, descriptors, true, XDP_PGOFF_TX_RING);
    /* The driver's sizes: ETH_AF_XDP_DFLT_NUM_DESCS (2048), and twice that for the fill ring. */
    map(&rings->fill, socket, &offsets.fr, 4096, false, XDP_UMEM_PGOFF_FILL_RING);
    map(&rings->completion, socket, &offsets.cr, 2048, false, XDP_UMEM_PGOFF_COMPLETION_RING);
    return rings;
}

void sluice_xdp_release(struct sluice_xdp_rings *rings, struct rte_mempool *pool) {
    if (!rings) return;
    empty(&rings->receive, pool);
    empty(&rings->transmit, pool);
    empty(&rings->fill, pool);
    empty(&rings->completion, pool);
    close(rings->socket);
    free(rings);
}
